/** Rows for training, for choosing, and for the final word. The same text is never on two sides: that would be a test whose answers were handed out. */
import { seededRandom, shuffle } from '../text/random.js';
import { ReviewsError, type Review } from './review.js';

export interface ReviewSplit {
  train: Review[];
  validation: Review[];
  test: Review[];
}

/** Texts that differ in case and spacing alone are one text. */
const normalized = (text: string): string => text.toLowerCase().replace(/\s+/g, ' ').trim();

/**
 * Splits by chance, each class for itself, copies of a text staying together.
 * @param options.seed default 42
 * @param options.validation share of the rows, default 0.1
 * @param options.test share of the rows, default 0.2
 * @throws ReviewsError when a part would be empty or only one class is there
 */
export function splitReviews(
  reviews: Review[],
  { seed = 42, validation = 0.1, test = 0.2 }: { seed?: number; validation?: number; test?: number } = {},
): ReviewSplit {
  if (!(validation > 0 && test > 0 && validation + test < 1))
    throw new ReviewsError(`validation ${validation} and test ${test} must be above 0 and leave rows to train on.`);
  const copies = new Map<string, Review[]>();
  for (const review of reviews) {
    const key = normalized(review.text);
    const group = copies.get(key);
    if (group) group.push(review);
    else copies.set(key, [review]);
  }
  // A text's class is that of its first copy: stratifying needs one.
  const byLabel = new Map<number, Review[][]>();
  for (const group of copies.values()) {
    const { label } = group[0]!;
    const groups = byLabel.get(label);
    if (groups) groups.push(group);
    else byLabel.set(label, [group]);
  }
  if (byLabel.size < 2)
    throw new ReviewsError(
      `All ${reviews.length} rows are of one class; there is nothing to tell apart. Check the label column.`,
    );
  const random = seededRandom(seed);
  const split: ReviewSplit = { train: [], validation: [], test: [] };
  for (const label of [...byLabel.keys()].sort((a, b) => a - b)) {
    const groups = shuffle(byLabel.get(label)!, random);
    const rows = groups.reduce((sum, group) => sum + group.length, 0);
    let seen = 0;
    for (const group of groups) {
      const share = seen / rows;
      (share < test ? split.test : share < test + validation ? split.validation : split.train).push(...group);
      seen += group.length;
    }
  }
  for (const [part, rows] of Object.entries(split) as [string, Review[]][]) {
    if (rows.length === 0)
      throw new ReviewsError(`${reviews.length} rows are too few to split: ${part} would be empty.`);
    shuffle(rows, random);
  }
  return split;
}
