/**
 * Texts of validation and test that are almost equal to a training text, so that the measured accuracy is too high.
 * Similarity is the Jaccard index of the pairs of adjacent words (Broder, 1997, "On the resemblance and containment of
 * documents"). Candidates come from MinHash with locality-sensitive hashing, and are then compared exactly.
 */
import { groupBy } from '../reviews/group.js';
import { seededRandom } from '../reviews/random.js';
import { joinedText, type Review } from '../reviews/review.js';
import type { ReviewSplit } from '../reviews/split.js';
import { wordsOf } from './words.js';

/** A held-out review and the training review that it is most similar to. */
export interface NearDuplicate {
  /** The split of the review. */
  split: 'validation' | 'test';
  review: Review;
  /** The similar training review. */
  training: Review;
  /** Jaccard index of their word pairs, up to 1 for texts that differ only in case, spacing and punctuation. */
  similarity: number;
}

/**
 * Bands of the signature, and hashes in each. Texts become candidates if one band is equal. Of texts with a similarity
 * of 0.7, 99.9 % do; of texts with 0.3, 18 %.
 */
const [bands, hashesInBand] = [25, 4];

/** Maximum number of training texts that are compared with a text; only texts made from a template have more candidates. */
const maxCandidates = 200;

/** A text as a set of 32-bit hashes of its word pairs. */
interface Fingerprint {
  pairs: Set<number>;
  /** A hash of each band. */
  bandKeys: Uint32Array;
}

/** The finalizer of MurmurHash3, which mixes all bits of a hash. */
function mixed(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const almost = Math.imul(half ^ (half >>> 13), 0xc2b2ae35);
  return (almost ^ (almost >>> 16)) >>> 0;
}

/** FNV-1a, mixed. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

/** Parameters of the hash functions of the signature: hash -> multiplier * hash + increment, modulo 2^32. */
function hashFunctions(): { multipliers: Int32Array; increments: Int32Array } {
  const random = seededRandom(1);
  const draw = () => Int32Array.from({ length: bands * hashesInBand }, () => Math.floor(random() * 2 ** 32) | 1);
  return { multipliers: draw(), increments: draw() };
}

const { multipliers, increments } = hashFunctions();

/** The fingerprint of the words of a text; a text of one word consists of that word. */
function fingerprintOf(words: string[]): Fingerprint {
  const pairs = new Set(
    words.length === 1 ? [hashOf(words[0]!)] : words.slice(1).map((word, i) => hashOf(`${words[i]} ${word}`)),
  );
  const minima = new Uint32Array(bands * hashesInBand).fill(0xffffffff);
  for (const pair of pairs)
    for (let i = 0; i < minima.length; i++) {
      const hash = (Math.imul(multipliers[i]!, pair) + increments[i]!) >>> 0;
      if (hash < minima[i]!) minima[i] = hash;
    }
  const bandKeys = Uint32Array.from({ length: bands }, (_, band) => {
    let key = 0;
    for (let i = 0; i < hashesInBand; i++) key = mixed(key ^ minima[band * hashesInBand + i]!);
    return key;
  });
  return { pairs, bandKeys };
}

/** The size of the intersection divided by the size of the union. */
function jaccard(a: Set<number>, b: Set<number>): number {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  let common = 0;
  for (const pair of small) if (large.has(pair)) common++;
  return common / (a.size + b.size - common);
}

/**
 * Finds reviews of validation and test that are almost equal to a training review. 100,000 reviews take seconds.
 * @param split of splitReviews
 * @param options threshold
 * @param options.minSimilarity minimum Jaccard index of the word pairs. @default 0.7
 * @returns one entry for each such review, the most similar first
 * @example
 * const nearDuplicates = findNearDuplicates(splitReviews(sample, { labelNames: labels }));
 */
export function findNearDuplicates(
  { train, validation, test }: ReviewSplit,
  { minSimilarity = 0.7 }: { minSimilarity?: number } = {},
): NearDuplicate[] {
  const keyOf = (review: Review) => wordsOf(joinedText(review).toLowerCase()).join(' ');
  // Texts with the same words are compared once.
  const trainingTexts = [...groupBy(train, keyOf)]
    .filter(([key]) => key !== '')
    .map(([key, [review]]) => ({ key, review: review! }));
  const fingerprints = trainingTexts.map(({ key }) => fingerprintOf(key.split(' ')));
  const buckets = Array.from({ length: bands }, () => new Map<number, number[]>());
  fingerprints.forEach(({ bandKeys }, row) =>
    bandKeys.forEach((key, band) => {
      const bucket = buckets[band]!.get(key);
      if (bucket) bucket.push(row);
      else buckets[band]!.set(key, [row]);
    }),
  );
  const mostSimilar = (key: string): { row: number; similarity: number } | undefined => {
    const { pairs, bandKeys } = fingerprintOf(key.split(' '));
    const compared = new Set<number>();
    let best: { row: number; similarity: number } | undefined;
    for (const [band, bandKey] of bandKeys.entries())
      for (const row of buckets[band]!.get(bandKey) ?? []) {
        if (compared.has(row)) continue;
        compared.add(row);
        const similarity = jaccard(pairs, fingerprints[row]!.pairs);
        if (similarity >= minSimilarity && similarity > (best?.similarity ?? 0)) best = { row, similarity };
        if (best?.similarity === 1 || compared.size >= maxCandidates) return best;
      }
    return best;
  };
  const found: NearDuplicate[] = [];
  for (const [split, reviews] of [
    ['validation', validation],
    ['test', test],
  ] as const)
    for (const [key, copies] of groupBy(reviews, keyOf)) {
      const best = key === '' ? undefined : mostSimilar(key);
      if (best)
        for (const review of copies)
          found.push({ split, review, training: trainingTexts[best.row]!.review, similarity: best.similarity });
    }
  return found.sort((a, b) => b.similarity - a.similarity);
}
