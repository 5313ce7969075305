/** Evaluation of a model that predicts all classes that apply. */
import type { EncodedReviews } from '../model/batch.js';
import type { TextClassifier } from '../model/text-classifier.js';
import type { EvaluateOptions } from './compute-rows.js';
import { assertProblemType, computeLogits } from './evaluate.js';
import { multiLabelMetrics, type MultiLabelMetrics } from './multi-label-metrics.js';

/** Predictions of a model of multi-label classification, and their metrics. */
export interface MultiLabelEvaluation {
  metrics: MultiLabelMetrics;
  /** Logits, [n * classes], row by row, in the order of the reviews; a class applies if its logit is at least 0. */
  logits: Float32Array;
}

/**
 * Evaluates a model of multi-label classification on labeled reviews, without dropout.
 * @param reviews tokenized reviews with their classes
 * @param options batch size, interruption and ranks
 * @throws ArgumentError for a model of another problem type
 * @example
 * const reviews = await loadReviews('topics.jsonl', { problemType: 'multi_label_classification' });
 * const model = await TextClassifier.load('embedded', { reading: reviews.source.reading });
 * const { metrics } = await evaluateMultiLabel(model, model.encode(reviews.test));
 * console.log(metrics.micro.f1, metrics.macro.f1);
 */
export async function evaluateMultiLabel(
  model: TextClassifier,
  reviews: EncodedReviews,
  options: EvaluateOptions = {},
): Promise<MultiLabelEvaluation> {
  assertProblemType(model, 'multi_label_classification');
  const logits = await computeLogits(model, reviews, options); // [n * classes]
  return { metrics: multiLabelMetrics(logits, reviews.labels, model.labels), logits };
}
