/** Things by what they have in common; Map.groupBy is not there on Node 20. */

/** @returns lists by key, keys in the order in which they first come, and so the things in each list */
export function groupBy<T, K>(list: Iterable<T>, keyOf: (thing: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const thing of list) {
    const key = keyOf(thing);
    const group = groups.get(key);
    if (group) group.push(thing);
    else groups.set(key, [thing]);
  }
  return groups;
}
