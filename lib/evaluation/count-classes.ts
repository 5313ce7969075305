/** The number of rows of each class, for class weights and warnings. */

/**
 * Counts the rows of each class.
 * @param labels class numbers
 * @param classes number of classes
 * @returns counts by class number
 */
export function countClasses(labels: Iterable<number>, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]!++;
  return counts;
}
