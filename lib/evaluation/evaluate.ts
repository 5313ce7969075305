/** Evaluation of a classifier. */
import { ArgumentError } from '../errors.js';
import type { ProblemType } from '../settings/problem-type.js';
import type { TextClassifier } from '../model/text-classifier.js';
import type { EncodedReviews } from '../model/batch.js';
import { computeRows, type EvaluateOptions } from './compute-rows.js';
import { classificationMetrics, type ClassificationMetrics } from './metrics.js';

/** Predictions of a classifier, and their metrics. */
export interface Evaluation {
  metrics: ClassificationMetrics;
  /** Logits, [n * classes], row by row, in the order of the reviews. */
  logits: Float32Array;
}

/**
 * Computes the logits of reviews, without dropout.
 * @returns [n * outputs], row by row, in the order of the reviews
 */
export const computeLogits = (
  model: TextClassifier,
  reviews: EncodedReviews,
  options: EvaluateOptions = {},
): Promise<Float32Array> =>
  computeRows(model, reviews, model.labels.length, (batch, prepared) => model.logits(batch, prepared), options);

/** What evaluates a model of each problem type, and what such a model predicts. */
const evaluations: Record<ProblemType, { name: string; predicts: (labels: string[]) => string }> = {
  single_label_classification: { name: 'evaluate', predicts: (labels) => `one of the classes ${labels.join(', ')}` },
  multi_label_classification: {
    name: 'evaluateMultiLabel',
    predicts: (labels) => `those of the classes ${labels.join(', ')} that apply`,
  },
  regression: { name: 'evaluateRegression', predicts: ([label]) => `the number '${label}'` },
};

/** @throws ArgumentError if a model has another problem type than its evaluation is for */
export function assertProblemType({ problemType, labels }: TextClassifier, expected: ProblemType): void {
  if (problemType === expected) return;
  const { name, predicts } = evaluations[problemType];
  throw new ArgumentError(
    'ARGUMENT_PROBLEM_TYPE',
    `The model predicts ${predicts(labels)}. Evaluate it with \`${name}\`.`,
    { problemType },
  );
}

/**
 * Evaluates a classifier on labeled reviews, without dropout.
 * @param reviews tokenized reviews with their labels
 * @param options batch size, interruption and ranks
 * @throws ArgumentError for a model of another problem type
 * @example
 * const { metrics, logits } = await evaluate(model, model.encode(reviews.test));
 * console.log(metrics.accuracy, metrics.macro.f1);
 */
export async function evaluate(
  model: TextClassifier,
  reviews: EncodedReviews,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  assertProblemType(model, 'single_label_classification');
  const logits = await computeLogits(model, reviews, options); // [n * classes]
  return { metrics: classificationMetrics(logits, reviews.labels, model.labels), logits };
}
