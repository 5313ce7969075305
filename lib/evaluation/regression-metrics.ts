/** Metrics of predicted numbers, with the results of scikit-learn and scipy. */
import { mean } from './metrics.js';

/** Metrics of a set of predicted numbers. */
export interface RegressionMetrics {
  /** Number of rows. */
  count: number;
  /** Mean squared error. */
  loss: number;
  /** Its square root, in the unit of the label. */
  rootMeanSquaredError: number;
  /** Mean absolute error, in the unit of the label. */
  meanAbsoluteError: number;
  /** Coefficient of determination: 1 - the squared error divided by that of the mean label. Null if all labels are equal. */
  r2: number | null;
  /** Pearson's correlation of predictions and labels; null if either are all equal. */
  pearson: number | null;
  /** Spearman's rank correlation; null if either are all equal. */
  spearman: number | null;
}

/** The sum of the products of the deviations from the means. */
function codeviation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - meanA) * (b[i]! - meanB);
  return sum;
}

/** Pearson's correlation coefficient; null if either values are all equal. */
export function pearsonCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  const isConstant = (values: ArrayLike<number>) => Array.from(values).every((value) => value === values[0]);
  if (isConstant(a) || isConstant(b)) return null;
  return codeviation(a, b) / Math.sqrt(codeviation(a, a) * codeviation(b, b));
}

/** Ranks from 1; equal values have the mean of their ranks. */
export function ranksOf(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + end + 1) / 2;
    start = end;
  }
  return ranks;
}

/**
 * Computes all metrics of predicted numbers: scikit-learn's `mean_squared_error`, `mean_absolute_error` and `r2_score`, and scipy's
 * `pearsonr` and `spearmanr`.
 * @param predictions [n]
 * @param labels the true numbers, [n]
 */
export function regressionMetrics(predictions: ArrayLike<number>, labels: ArrayLike<number>): RegressionMetrics {
  const errors = Float64Array.from(labels, (label, i) => predictions[i]! - label);
  const loss = mean(errors.map((error) => error * error));
  const variance = codeviation(labels, labels) / labels.length;
  return {
    count: labels.length,
    loss,
    rootMeanSquaredError: Math.sqrt(loss),
    meanAbsoluteError: mean(errors.map(Math.abs)),
    r2: variance === 0 ? null : 1 - loss / variance,
    pearson: pearsonCorrelation(predictions, labels),
    spearman: pearsonCorrelation(ranksOf(predictions), ranksOf(labels)),
  };
}
