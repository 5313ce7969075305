/** Predictions and figures for a set of encoded reviews. Longest texts share batches with their like, so little is padding. */
import { labelNames, maxTokens } from '../model/config.js';
import { predictLogits, type Classifier } from '../model/classifier.js';
import { prepareWeights } from '../model/model.js';
import { tf } from '../tensorflow/runtime.js';
import { evaluationBatches, type EncodedReviews } from '../text/batches.js';
import { classificationMetrics, type ClassificationMetrics } from './metrics.js';

/** What a classifier says of reviews, and how good that is. */
export interface Evaluation {
  metrics: ClassificationMetrics;
  /** Scores before softmax, [n * classes], row by row, in the reviews' order. */
  logits: Float32Array;
}

/**
 * Has a classifier judge reviews, without dropout.
 * @param reviews with their true classes
 * @param options how they are batched
 * @param options.batchSize default 64
 * @param options.tick awaited between batches; may throw to interrupt
 */
export async function evaluate(
  classifier: Classifier,
  reviews: EncodedReviews,
  { batchSize = 64, tick }: { batchSize?: number; tick?: () => Promise<void> } = {},
): Promise<Evaluation> {
  const classes = labelNames(classifier.config).length;
  const logits = new Float32Array(reviews.labels.length * classes);
  const prepared = prepareWeights(classifier);
  try {
    for (const batch of evaluationBatches(reviews, batchSize, maxTokens(classifier.config))) {
      const found = predictLogits(classifier, batch, prepared);
      batch.indices.forEach((index, row) =>
        logits.set(found.subarray(row * classes, (row + 1) * classes), index * classes),
      );
      await tick?.();
    }
  } finally {
    tf.dispose(prepared);
  }
  return { metrics: classificationMetrics(logits, reviews.labels, classes), logits };
}
