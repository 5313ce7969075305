/**
 * Selective prediction: predictions below a probability threshold are rejected, which raises the accuracy of the
 * others.
 */
import { predictions } from './metrics.js';

/** The result of a threshold. */
export interface Coverage {
  /** Minimum probability of an accepted prediction. */
  threshold: number;
  /** Fraction of the rows whose prediction is accepted. */
  coverage: number;
  /** Fraction of the accepted predictions that are correct; 1 if there are none. */
  accuracy: number;
}

/**
 * Computes coverage and accuracy for each threshold.
 * @param logits [n * classes], row by row
 * @param labels [n]
 * @param classes number of classes
 * @param thresholds probabilities. @default 0.50 to 0.99 in steps of 0.01
 * @example
 * const [row] = coverageByThreshold(logits, testSet.labels, labels.length, [0.9]);
 * console.log(row!.coverage, row!.accuracy);
 */
export function coverageByThreshold(
  logits: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
  thresholds: number[] = Array.from({ length: 50 }, (_, i) => (50 + i) / 100),
): Coverage[] {
  const rows = predictions(logits, classes).map(({ label, score }, row) => ({ score, correct: label === labels[row] }));
  return thresholds.map((threshold) => {
    const accepted = rows.filter(({ score }) => score >= threshold);
    return {
      threshold,
      coverage: accepted.length / rows.length,
      accuracy: accepted.length === 0 ? 1 : accepted.filter(({ correct }) => correct).length / accepted.length,
    };
  });
}
