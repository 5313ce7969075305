/**
 * Pairs of texts for contrastive training, as in SetFit (Tunstall et al., 2022, arXiv:2209.11055) and its Python package:
 * all pairs of two texts, also of a text with itself. Pairs of one class and pairs of two classes are equally frequent;
 * the rarer kind is repeated (`sampling_strategy="oversampling"`).
 */
import { chunk, packTexts, selectTexts, type EncodedBatch, type EncodedReviews } from '../model/batch.js';
import { seededRandom, shuffle } from '../reviews/random.js';
import type { BatchOptions } from './batches.js';
import { batchesInMemory, type NextBatch } from './positions.js';
import type { StreamPosition } from './stream.js';

/** A batch of pairs: the first text of each pair, then the second of each. */
export interface PairBatch extends EncodedBatch {
  /** The cosine similarity to learn, [pairs]: 1 for a pair of one class, else 0. */
  targets: Float32Array;
}

/** Two row numbers. */
type Pair = [number, number];

/**
 * The number of pairs of an epoch.
 * @param counts rows by class number
 */
export function countPairs(counts: number[]): number {
  const rows = counts.reduce((a, b) => a + b, 0);
  const same = counts.reduce((sum, count) => sum + (count * (count + 1)) / 2, 0);
  return 2 * Math.max(same, (rows * (rows + 1)) / 2 - same);
}

/**
 * The pairs of an epoch, in the same order for the same seed.
 * @param labels class number of each row
 */
export function contrastivePairs(labels: ArrayLike<number>, seed: number): Pair[] {
  const same: Pair[] = [];
  const different: Pair[] = [];
  for (let i = 0; i < labels.length; i++)
    for (let j = i; j < labels.length; j++) (labels[i] === labels[j] ? same : different).push([i, j]);
  const random = seededRandom(seed);
  const kinds = [same, different].filter(({ length }) => length > 0).map((pairs) => shuffle(pairs, random));
  const longest = Math.max(...kinds.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => kinds.map((pairs) => pairs[i % pairs.length]!)).flat();
}

/**
 * Packs pairs into a batch.
 * @param pairs row numbers
 */
export function packPairs({ ids, labels }: EncodedReviews, pairs: Pair[]): PairBatch {
  const rows = [...pairs.map(([first]) => first), ...pairs.map(([, second]) => second)];
  return {
    ...packTexts(rows.map((row) => ids[row]!)),
    targets: Float32Array.from(pairs, ([first, second]) => (labels[first] === labels[second] ? 1 : 0)),
  };
}

/**
 * The pairs of a batch whose first text is one of these.
 * @param rows numbers of texts
 */
export function selectPairs(batch: PairBatch, rows: number[]): PairBatch {
  const pairs = batch.targets.length;
  const chosen = rows.filter((row) => row < pairs);
  return {
    ...selectTexts(batch, [...chosen, ...chosen.map((row) => row + pairs)]),
    targets: Float32Array.from(chosen, (row) => batch.targets[row]!),
  };
}

/** Endless batches of all pairs, in random order in each epoch, starting at a position. */
export function* pairBatches(
  reviews: EncodedReviews,
  { batchSize, seed }: BatchOptions,
  from: StreamPosition,
): Generator<NextBatch<PairBatch>> {
  const pairs = contrastivePairs(reviews.labels, seed);
  const ofEpoch = (epoch: number) => chunk(shuffle([...pairs], seededRandom(seed, epoch)), batchSize);
  for (const { batch, ...rest } of batchesInMemory(ofEpoch, from)) yield { ...rest, batch: packPairs(reviews, batch) };
}
