/** Some of the reviews, by chance but with each class in its share. */
import { seededRandom, shuffle } from '../text/random.js';
import type { Review } from './review.js';

/**
 * @param options.rows how many; -1 or more than there are for all
 * @param options.seed default 42
 */
export function sampleReviews(reviews: Review[], { rows, seed = 42 }: { rows: number; seed?: number }): Review[] {
  if (rows < 0 || rows >= reviews.length) return reviews;
  const random = seededRandom(seed);
  const labels = [...new Set(reviews.map(({ label }) => label))].sort((a, b) => a - b);
  const share = rows / reviews.length;
  const chosen = labels.flatMap((label) => {
    const own = shuffle(
      reviews.filter((review) => review.label === label),
      random,
    );
    return own.slice(0, Math.round(own.length * share));
  });
  return shuffle(chosen, random);
}
