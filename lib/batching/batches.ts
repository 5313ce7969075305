/**
 * Batches of texts of like length, padded to their longest. Amazon reviews have a median of 94 tokens and a maximum far
 * above it: padding all to 512 would spend four fifths of the work on nothing.
 */
import { chunk, padBatch, type EncodedReviews, type IndexedBatch } from '../model/batch.js';
import { seededRandom, shuffle } from '../reviews/random.js';

/** Batches of one shuffled neighbourhood, sorted inside: large enough for like lengths to meet, small enough for chance. */
const batchesInNeighbourhood = 50;

/**
 * One epoch's batches, each row once. Rows are shuffled, neighbourhoods of 50 batches sorted by length and cut, and the
 * batches shuffled again; the one with the longest text comes first, so that too little memory shows at once
 * (as transformers' LengthGroupedSampler does).
 * @param reviews all rows of an epoch
 * @param options size and order of the batches
 * @param options.epoch another order for each, the same for the same seed
 * @param options.groupByLength false for batches in shuffled order
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
  const sorted = chunk(order, batchSize * batchesInNeighbourhood).flatMap((run) =>
    run.sort((a, b) => length(b) - length(a)),
  );
  const batches = shuffle(chunk(sorted, batchSize), random);
  const longest = batches.reduce(
    (best, { 0: first }, i) => (length(first!) > length(batches[best]![0]!) ? i : best),
    0,
  );
  [batches[0], batches[longest]] = [batches[longest]!, batches[0]!];
  return batches.map((indices) => padBatch(reviews, indices, maxTokens));
}
