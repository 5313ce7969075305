/** Reviews as a danfo DataFrame, to explore them in a notebook. Everything else works on arrays. */
import type { DataFrame } from 'danfojs-node';
import { danfo } from './danfo.js';
import type { Review } from './review.js';

/** An interface, since tslab's compiler cannot write a type whose only name is in another package. */
export interface ReviewTable extends DataFrame {}

/**
 * Creates a DataFrame with the columns `text`, `label` (class number), `class` (its name), `words` (number of words) and
 * `split` (the split of the data set that a row is from).
 * @param reviews of sampleReviews, or of a part of splitReviews
 * @param labelNames class names by class number
 * @example
 * const table = reviewTable(reviews.train, labels);
 * showTable(table.groupby(['class']).col(['words']).mean());
 */
export const reviewTable = (reviews: Review[], labelNames: string[]): ReviewTable =>
  new (danfo().DataFrame)({
    text: reviews.map(({ text }) => text),
    label: reviews.map(({ label }) => label),
    class: reviews.map(({ label }) => labelNames[label]!),
    words: reviews.map(({ text }) => text.split(/\s+/).length),
    split: reviews.map(({ split = 'train' }) => split),
  });
