/**
 * Confident learning (Northcutt, Jiang and Chuang, 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
 * arXiv:1911.00068): which labels are probably wrong, from predicted probabilities of a model that was not trained on
 * these rows. The results equal those of cleanlab's find_label_issues(filter_by='confident_learning').
 */

/** The result of confidentLearning. */
export interface ConfidentLearning {
  /** Mean probability of each class among the rows labeled with it; NaN for a class without rows. */
  thresholds: number[];
  /**
   * The confident joint: number of rows by label, then by the class that the row is confidently predicted to be of. Rows
   * that reach no threshold are not counted.
   */
  joint: number[][];
  /** Rows off the diagonal of the joint whose prediction differs from the label, the least plausible label first. */
  issues: number[];
}

/** Allowance for rounding of probabilities, as in cleanlab. */
const rounding = 1e-6;

/** The normalized margin: probability of the label minus the largest one of another class. */
export const marginOf = (probabilities: number[], label: number): number =>
  probabilities[label]! - probabilities.reduce((max, value, i) => (i === label ? max : Math.max(max, value)), 0);

/**
 * Finds labels that are probably wrong.
 * @param labels class number of each row
 * @param probabilities predicted probabilities of each row, by class
 */
export function confidentLearning(labels: number[], probabilities: number[][]): ConfidentLearning {
  const classes = probabilities[0]?.length ?? 0;
  const sums = new Array<number>(classes).fill(0);
  const counts = new Array<number>(classes).fill(0);
  labels.forEach((label, row) => {
    sums[label]! += probabilities[row]![label]!;
    counts[label]!++;
  });
  const thresholds = sums.map((sum, label) => sum / counts[label]!);
  const joint = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  const issues: number[] = [];
  labels.forEach((label, row) => {
    const values = probabilities[row]!;
    const predicted = values.indexOf(Math.max(...values));
    const confident = values.flatMap((value, i) => (value >= thresholds[i]! - rounding ? [i] : []));
    if (confident.length === 0) return;
    const confidentClass = confident.length > 1 ? predicted : confident[0]!;
    joint[label]![confidentClass]!++;
    if (confidentClass !== label && predicted !== label) issues.push(row);
  });
  const margins = new Map(issues.map((row) => [row, marginOf(probabilities[row]!, labels[row]!)]));
  issues.sort((a, b) => margins.get(a)! - margins.get(b)!);
  return { thresholds, joint, issues };
}
