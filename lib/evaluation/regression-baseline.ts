/**
 * Baselines for regression: the mean of the training labels, and a bag of words with ridge regression, as of scikit-learn's
 * Ridge(alpha=1) on the TF-IDF of `bag-of-words.ts`.
 */
import type { Review } from '../reviews/review.js';
import { fitTfidf } from './bag-of-words.js';
import { addRow, addScaled, dot, score, type SparseRow } from './logistic-regression.js';
import { mean } from './metrics.js';
import { regressionMetrics, type RegressionMetrics } from './regression-metrics.js';

const numbersOf = (reviews: Review[]): number[] => reviews.map(({ label }) => label);

/**
 * Predicts the mean of the training numbers for every test row.
 * @example
 * const { meanAbsoluteError } = meanBaseline(reviews.train, reviews.test);
 */
export function meanBaseline(train: Review[], test: Review[]): RegressionMetrics {
  const predicted = mean(numbersOf(train));
  return regressionMetrics(
    test.map(() => predicted),
    numbersOf(test),
  );
}

/** Iterations of the conjugate gradients at most; text needs some dozens. */
const maxIterations = 1000;

/**
 * Ridge regression: the minimum of |rows · weights + intercept - labels|² + alpha |weights|², without a penalty on the intercept. The
 * normal equations are solved with conjugate gradients, to a residual of 1e-9 of the first one.
 * @param size number of columns
 * @param alpha strength of the penalty
 * @returns the weights, with the intercept last
 */
export function ridgeRegression(rows: SparseRow[], labels: number[], size: number, alpha: number): Float64Array {
  const weights = new Float64Array(size + 1);
  const product = (vector: Float64Array): Float64Array => {
    const result = vector.map((value, i) => (i < size ? alpha * value : 0));
    for (const row of rows) addRow(result, row, score(row, vector, 0, size), 0, size);
    return result;
  };
  const residual = new Float64Array(size + 1);
  for (const [i, row] of rows.entries()) addRow(residual, row, labels[i]!, 0, size);
  const direction = residual.slice();
  let squared = dot(residual, residual);
  const sufficient = squared * 1e-18;
  for (let iteration = 0; iteration < maxIterations && squared > sufficient; iteration++) {
    const image = product(direction);
    const length = squared / dot(direction, image);
    addScaled(weights, direction, length);
    addScaled(residual, image, -length);
    const next = dot(residual, residual);
    for (let i = 0; i < direction.length; i++) direction[i] = residual[i]! + (next / squared) * direction[i]!;
    squared = next;
  }
  return weights;
}

/**
 * Fits ridge regression on a bag of words of the training rows and evaluates it on the test rows.
 * @example
 * const { meanAbsoluteError } = ridgeBaseline(reviews.train, reviews.test);
 */
export function ridgeBaseline(train: Review[], test: Review[]): RegressionMetrics {
  const { rows, size, rowOf } = fitTfidf(train.map(({ text }) => text));
  const weights = ridgeRegression(rows, numbersOf(train), size, 1);
  return regressionMetrics(
    test.map(({ text }) => score(rowOf(text), weights, 0, size)),
    numbersOf(test),
  );
}
