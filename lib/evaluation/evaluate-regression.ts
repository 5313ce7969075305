/** Evaluation of a model that predicts a number. */
import type { EncodedReviews } from '../model/batch.js';
import type { TextClassifier } from '../model/text-classifier.js';
import type { EvaluateOptions } from './compute-rows.js';
import { assertProblemType, computeLogits } from './evaluate.js';
import { regressionMetrics, type RegressionMetrics } from './regression-metrics.js';

/** Predicted numbers, and their metrics. */
export interface RegressionEvaluation {
  metrics: RegressionMetrics;
  /** The predicted numbers, [n], in the order of the reviews. */
  predictions: Float32Array;
}

/**
 * Evaluates a regression model on reviews with numbers, without dropout.
 * @param reviews tokenized reviews with their numbers
 * @param options batch size, interruption and ranks
 * @throws ArgumentError for a model that predicts classes
 * @example
 * const reviews = await loadReviews('embedded', { problemType: 'regression' });
 * const model = await TextClassifier.load('embedded', { labels: reviews.labels });
 * const { metrics } = await evaluateRegression(model, model.encode(reviews.test));
 * console.log(metrics.meanAbsoluteError);
 */
export async function evaluateRegression(
  model: TextClassifier,
  reviews: EncodedReviews,
  options: EvaluateOptions = {},
): Promise<RegressionEvaluation> {
  assertProblemType(model, 'regression');
  const predictions = await computeLogits(model, reviews, options); // [n]
  return { metrics: regressionMetrics(predictions, reviews.labels), predictions };
}
