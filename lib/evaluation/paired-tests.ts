/**
 * Comparison of two classifiers on the same rows. Their errors are paired: a test on the rows that only one of them predicts
 * correctly finds smaller differences than two separate intervals.
 */
import { seededRandom } from '../reviews/random.js';
import type { Interval } from './interval.js';

/** Number of bootstrap samples of small test sets. */
const maxSamples = 10_000;

/** Maximum number of rows that all samples draw together: some seconds. */
const maxDraws = 200_000_000;

/**
 * The two-sided p-value of McNemar's exact test (McNemar, 1947; statsmodels' mcnemar with exact=True): the probability of a
 * division at least as uneven if both classifiers are equally good.
 * @param onlyFirst number of rows that only the first classifier predicts correctly
 * @param onlySecond number of rows that only the second one predicts correctly
 * @example
 * const pValue = mcnemar(24, 13); // 0.099
 */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  const count = onlyFirst + onlySecond;
  // Logarithms, since the binomial coefficients of thousands of rows exceed the range of numbers.
  let logTerm = -count * Math.LN2;
  let tail = 0;
  for (let i = 0; i <= Math.min(onlyFirst, onlySecond); i++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((count - i) / (i + 1));
  }
  return Math.min(1, 2 * tail);
}

/**
 * The 95 % interval of the difference of two accuracies, the first minus the second, by the percentiles of bootstrap samples of
 * rows (Efron, 1979; Koehn, 2004).
 * @param first whether the first classifier predicts each row correctly
 * @param second the same for the second classifier
 * @param seed of the samples. @default 42
 * @returns the interval, and the number of samples: 10,000, or fewer for more than 20,000 rows
 * @example
 * const { interval } = bootstrapDifference([true, true, false], [true, false, false]);
 */
export function bootstrapDifference(
  first: boolean[],
  second: boolean[],
  seed = 42,
): { interval: Interval; samples: number } {
  const differences = Int8Array.from(first, (correct, row) => Number(correct) - Number(second[row]));
  const rows = differences.length;
  const samples = Math.min(maxSamples, Math.ceil(maxDraws / rows));
  const random = seededRandom(seed);
  const means = Float64Array.from({ length: samples }, () => {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += differences[Math.floor(random() * rows)]!;
    return sum / rows;
  }).sort();
  const percentile = (fraction: number) => means[Math.min(samples - 1, Math.floor(fraction * samples))]!;
  return { interval: { low: percentile(0.025), high: percentile(0.975) }, samples };
}
