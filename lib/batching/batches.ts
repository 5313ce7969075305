/**
 * Training batches: all rows in random order, packed without padding. Batches of texts of similar length, which save
 * padding elsewhere, are not needed, and would make batches less random.
 */
import { chunk, packBatch, type EncodedReviews, type IndexedBatch } from '../model/batch.js';
import { seededRandom, shuffle } from '../reviews/random.js';

/** Options of training batches. */
export interface BatchOptions {
  /** Texts per batch; the last one of an epoch may have fewer. */
  batchSize: number;
  seed: number;
  /** Maximum sequence length of the model. @default no limit */
  maxTokens?: number;
}

/**
 * The batches of one epoch, with each row once.
 * @param reviews all rows of an epoch
 * @param options size and order of the batches
 * @param options.epoch determines the order, together with the seed
 * @throws ArgumentError for a text that is longer than the model accepts
 */
export function trainingBatches(
  reviews: EncodedReviews,
  { batchSize, seed, epoch, maxTokens }: BatchOptions & { epoch: number },
): IndexedBatch[] {
  const order = shuffle([...reviews.ids.keys()], seededRandom(seed, epoch));
  return chunk(order, batchSize).map((indices) => packBatch(reviews, indices, maxTokens));
}
