/** Evaluation of a model that predicts a number. */
import { singleProcess, type Ranks } from '../distributed/ranks.js';
import type { EncodedReviews } from '../model/batch.js';
import type { TextClassifier } from '../model/text-classifier.js';
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
 * @param options batch size and interruption
 * @param options.batchSize @default 64
 * @param options.tick awaited between batches; may throw to interrupt
 * @param options.ranks that evaluate together. @default this process only
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
  {
    batchSize = 64,
    tick,
    ranks = singleProcess,
  }: { batchSize?: number; tick?: () => Promise<void>; ranks?: Ranks } = {},
): Promise<RegressionEvaluation> {
  assertProblemType(model, 'regression');
  const predictions = await computeLogits(model, reviews, { batchSize, tick, ranks }); // [n]
  return { metrics: regressionMetrics(predictions, reviews.labels), predictions };
}
