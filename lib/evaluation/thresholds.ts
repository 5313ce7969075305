/** What it costs to be careful: verdicts below a probability are left to a person, and the rest is more often right. */
import { verdicts } from './metrics.js';

/** Verdicts from some probability up. */
export interface Coverage {
  /** The least probability that counts as a verdict. */
  threshold: number;
  /** Share of the rows that get one. */
  coverage: number;
  /** Share of those verdicts that is right; 1 where there are none. */
  accuracy: number;
}

/**
 * What each threshold leaves to judge, and how well that is judged.
 * @param logits [n * classes], row by row
 * @param labels [n]
 * @param classes how many there are
 * @param thresholds default: 0.50 to 0.99 by hundredths
 */
export function coverageByThreshold(
  logits: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
  thresholds: number[] = Array.from({ length: 50 }, (_, i) => (50 + i) / 100),
): Coverage[] {
  const rows = verdicts(logits, classes).map(({ label, score }, row) => ({ score, right: label === labels[row] }));
  return thresholds.map((threshold) => {
    const sure = rows.filter(({ score }) => score >= threshold);
    return {
      threshold,
      coverage: sure.length / rows.length,
      accuracy: sure.length === 0 ? 1 : sure.filter(({ right }) => right).length / sure.length,
    };
  });
}
