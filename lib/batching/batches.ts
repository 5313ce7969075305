/**
 * Batches of texts of similar length, padded to the longest text of the batch. Amazon reviews have a median length of
 * 94 tokens and a far larger maximum: if all were padded to 512 tokens, four fifths of the computation would be spent
 * on padding.
 */
import { chunk, padBatch, type EncodedReviews, type IndexedBatch } from '../model/batch.js';
import { seededRandom, shuffle } from '../reviews/random.js';

/** Batches per group of rows that is sorted by length: enough for similar lengths, few enough for random batches. */
const batchesPerGroup = 50;

/**
 * The batches of one epoch, with each row once. Rows are shuffled and divided into groups of 50 batches; each group is
 * sorted by length and divided into batches, and the batches are shuffled. The batch with the longest text comes first,
 * so that running out of memory shows at once (as in transformers' LengthGroupedSampler).
 * @param reviews all rows of an epoch
 * @param options size and order of the batches
 * @param options.epoch determines the order, together with the seed
 * @param options.groupByLength false for batches of rows in shuffled order
 * @param options.maxTokens see padBatch
 */
export function trainingBatches(
  reviews: EncodedReviews,
  {
    batchSize,
    seed,
    epoch,
    groupByLength = true,
    maxTokens,
  }: { batchSize: number; seed: number; epoch: number; groupByLength?: boolean; maxTokens?: number },
): IndexedBatch[] {
  const random = seededRandom(seed, epoch);
  const length = (index: number) => reviews.ids[index]!.length;
  const order = shuffle(
    reviews.ids.map((_, index) => index),
    random,
  );
  if (!groupByLength) return chunk(order, batchSize).map((indices) => padBatch(reviews, indices, maxTokens));
  const sorted = chunk(order, batchSize * batchesPerGroup).flatMap((group) =>
    group.sort((a, b) => length(b) - length(a)),
  );
  const batches = shuffle(chunk(sorted, batchSize), random);
  const longest = batches.reduce(
    (best, { 0: first }, i) => (length(first!) > length(batches[best]![0]!) ? i : best),
    0,
  );
  [batches[0], batches[longest]] = [batches[longest]!, batches[0]!];
  return batches.map((indices) => padBatch(reviews, indices, maxTokens));
}
