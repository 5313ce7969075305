/** Grouping by a key: Node 20 has no Map.groupBy. */

/**
 * Groups items by a key.
 * @returns lists by key; keys in the order of their first item, items in the order of the list
 */
export function groupBy<T, K>(list: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of list) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
