/** Predictions and figures for a set of encoded reviews. Longest texts share batches with their like, so little is padding. */
import type { TextClassifier } from '../model/text-classifier.js';
import { prepareWeights } from '../model/model.js';
import { alone, ownOf, type Ranks } from '../distributed/ranks.js';
import { tf } from '../tensorflow/runtime.js';
import { evaluationBatches, type EncodedReviews } from '../model/batch.js';
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
 * @param options.ranks who judges together: each takes its share of the batches, and all get all scores. Default: this process
 * alone
 */
export async function evaluate(
  model: TextClassifier,
  reviews: EncodedReviews,
  { batchSize = 64, tick, ranks = alone }: { batchSize?: number; tick?: () => Promise<void>; ranks?: Ranks } = {},
): Promise<Evaluation> {
  const classes = model.labels.length;
  const own = new Float32Array(reviews.labels.length * classes);
  const prepared = prepareWeights(model);
  try {
    const batches = evaluationBatches(reviews, batchSize, model.maxTokens);
    // In order of their lengths, so that all ranks get about the same work.
    for (const batch of ownOf(ranks, batches)) {
      const found = model.logits(batch, prepared);
      batch.indices.forEach((index, row) =>
        own.set(found.subarray(row * classes, (row + 1) * classes), index * classes),
      );
      await tick?.();
    }
  } finally {
    tf.dispose(prepared);
  }
  const logits = ranks.sumNumbers(own); // [n * classes]
  return { metrics: classificationMetrics(logits, reviews.labels, classes), logits };
}
