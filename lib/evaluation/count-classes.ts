/** The number of rows of each class, for class weights and warnings, and the weights that balance classes. */

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

/**
 * Weights that give each class the same influence: rows / (classes * rows of the class), as scikit-learn's
 * compute_class_weight('balanced').
 * @param counts rows by class number; classes without rows are not counted as classes, and weigh as if they had one row
 */
export function balancedWeights(counts: number[]): number[] {
  const rows = counts.reduce((a, b) => a + b, 0);
  const classes = counts.filter((count) => count > 0).length;
  return counts.map((count) => rows / (classes * Math.max(1, count)));
}
