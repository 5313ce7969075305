/** Some of the reviews, by chance but with each class in its share. danfo's own sample() does not look at classes. */
import { seededRandom, shuffle } from '../text/random.js';
import { reviewsOf, rowsOf, type ReviewTable } from './table.js';

/**
 * @param options.rows how many; -1 or more than there are for all, in their order
 * @param options.seed default 42
 */
export function sampleReviews(table: ReviewTable, { rows, seed = 42 }: { rows: number; seed?: number }): ReviewTable {
  const reviews = reviewsOf(table);
  if (rows < 0 || rows >= reviews.length) return table;
  const random = seededRandom(seed);
  const members = new Map<number, number[]>();
  reviews.forEach(({ label }, row) => {
    const rowsOfClass = members.get(label);
    if (rowsOfClass) rowsOfClass.push(row);
    else members.set(label, [row]);
  });
  // Whole shares first; what is left over goes to the largest remainders.
  const shares = [...members.keys()]
    .sort((a, b) => a - b)
    .map((label) => {
      const exact = (members.get(label)!.length * rows) / reviews.length;
      return { label, count: Math.floor(exact), remainder: exact % 1 };
    });
  const left = rows - shares.reduce((sum, { count }) => sum + count, 0);
  for (const share of [...shares].sort((a, b) => b.remainder - a.remainder).slice(0, left)) share.count++;
  const chosen = shares.flatMap(({ label, count }) => shuffle(members.get(label)!, random).slice(0, count));
  return rowsOf(table, shuffle(chosen, random));
}
