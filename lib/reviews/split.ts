/** Rows for training, for choosing, and for the final word. The same text is never on two sides: that would be a test whose answers were handed out. */
import { seededRandom, shuffle } from '../text/random.js';
import { ReviewsError } from './review.js';
import { reviewsOf, rowsOf, type ReviewTable } from './table.js';

export interface ReviewSplit {
  train: ReviewTable;
  validation: ReviewTable;
  test: ReviewTable;
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
  table: ReviewTable,
  { seed = 42, validation = 0.1, test = 0.2 }: { seed?: number; validation?: number; test?: number } = {},
): ReviewSplit {
  if (!(validation > 0 && test > 0 && validation + test < 1))
    throw new ReviewsError(`validation ${validation} and test ${test} must be above 0 and leave rows to train on.`);
  const reviews = reviewsOf(table);
  const copies = new Map<string, number[]>();
  reviews.forEach(({ text }, row) => {
    const key = normalized(text);
    const group = copies.get(key);
    if (group) group.push(row);
    else copies.set(key, [row]);
  });
  // A text's class is that of its first copy: stratifying needs one.
  const byLabel = new Map<number, number[][]>();
  for (const group of copies.values()) {
    const { label } = reviews[group[0]!]!;
    const groups = byLabel.get(label);
    if (groups) groups.push(group);
    else byLabel.set(label, [group]);
  }
  if (byLabel.size < 2)
    throw new ReviewsError(
      `All ${reviews.length} rows are of one class; there is nothing to tell apart. Check the label column.`,
    );
  const random = seededRandom(seed);
  const rows: Record<keyof ReviewSplit, number[]> = { train: [], validation: [], test: [] };
  for (const label of [...byLabel.keys()].sort((a, b) => a - b)) {
    const groups = shuffle(byLabel.get(label)!, random);
    const count = groups.reduce((sum, group) => sum + group.length, 0);
    let seen = 0;
    for (const group of groups) {
      const share = seen / count;
      rows[share < test ? 'test' : share < test + validation ? 'validation' : 'train'].push(...group);
      seen += group.length;
    }
  }
  const part = (name: keyof ReviewSplit): ReviewTable => {
    if (rows[name].length === 0)
      throw new ReviewsError(`${reviews.length} rows are too few to split: ${name} would be empty.`);
    return rowsOf(table, shuffle(rows[name], random));
  };
  return { train: part('train'), validation: part('validation'), test: part('test') };
}
