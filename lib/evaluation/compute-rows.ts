/** What a model computes for each of many reviews, a row of numbers: in batches, by one process or several. */
import { partOfRank, singleProcess, type Ranks } from '../distributed/ranks.js';
import { evaluationBatches, type EncodedBatch, type EncodedReviews } from '../model/batch.js';
import { prepareWeights } from '../model/model.js';
import type { Weights } from '../model/tensor-operations.js';
import type { TextClassifier } from '../model/text-classifier.js';
import { tf } from '../tensorflow/runtime.js';

/** How reviews are evaluated. */
export interface EvaluateOptions {
  /** Texts per batch. @default 64 */
  batchSize?: number;
  /** Awaited between batches; may throw to interrupt. @default no interruption */
  tick?: () => Promise<void>;
  /** Processes that evaluate together: each evaluates part of the batches, and all get all rows. @default this process only */
  ranks?: Ranks;
}

/**
 * Computes a row for each review.
 * @param width of a row
 * @param rowsOf computes those of a batch, [batch * width], with weights that are cast once
 * @returns [n * width], row by row, in the order of the reviews
 */
export async function computeRows(
  model: TextClassifier,
  reviews: EncodedReviews,
  width: number,
  rowsOf: (batch: EncodedBatch, prepared: Weights) => Float32Array,
  { batchSize = 64, tick, ranks = singleProcess }: EvaluateOptions,
): Promise<Float32Array> {
  const own = new Float32Array(reviews.ids.length * width);
  const prepared = prepareWeights(model);
  try {
    for (const batch of partOfRank(ranks, evaluationBatches(reviews, batchSize, model.maxTokens))) {
      const rows = rowsOf(batch, prepared);
      batch.indices.forEach((index, row) => own.set(rows.subarray(row * width, (row + 1) * width), index * width));
      await tick?.();
    }
  } finally {
    tf.dispose(prepared);
  }
  return ranks.sumNumbers(own);
}
