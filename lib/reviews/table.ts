/**
 * Reviews as a danfo DataFrame: what a data scientist samples, describes and groups them with. Columns: `text`, `label`
 * (class number), `class` (its name), `words` (how many) and `split` (the part of the data set that a row is from).
 */
import type { DataFrame } from 'danfojs-node';
import type { SplitName } from '../hub/dataset.js';
import { danfo } from './danfo.js';
import type { Review } from './review.js';

/** A name of its own: tslab's compiler cannot name what it infers by a path into another package. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface ReviewTable extends DataFrame {}

/** A row's split is `train` where none is said. */
export function reviewTable(reviews: (Review & { split?: SplitName })[], labelNames: string[]): ReviewTable {
  return new danfo.DataFrame({
    text: reviews.map(({ text }) => text),
    label: reviews.map(({ label }) => label),
    class: reviews.map(({ label }) => labelNames[label]!),
    words: reviews.map(({ text }) => text.split(/\s+/).length),
    split: reviews.map(({ split = 'train' }) => split),
  });
}

/** The rows as objects, for code that goes through them one by one. */
export function reviewsOf(table: ReviewTable): Review[] {
  const texts = table.column('text').values as string[];
  const labels = table.column('label').values as number[];
  return texts.map((text, i) => ({ text, label: labels[i]! }));
}

/** Those rows, in that order, numbered anew. */
export function rowsOf(table: ReviewTable, rows: number[]): ReviewTable {
  return table.iloc({ rows }).resetIndex();
}
