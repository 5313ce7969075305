/**
 * The embedded reviews (data/README.md): sentences of Amazon product reviews, each with the mean of 20 people's ratings
 * from -4 to 4.
 */
import fs from 'node:fs';
import { setUpCommand } from '#setup/paths.mjs';
import { ReviewsError } from '../errors.js';
import { embeddedReviewsFile } from '../hub/embedded.js';
import { createSource } from './create-source.js';
import type { ReviewsOptions } from './reviews-options.js';
import { chunksOf, type Row, type RowFile } from './row-file.js';
import type { ReviewSource } from './review-source.js';

const names = ['negative', 'positive'];

/** Minimum absolute mean rating; sentences with a smaller one are neutral. */
const threshold = 0.5;

/**
 * Opens the embedded reviews. Their columns are `text` and `label`, with the labels negative and positive; neutral
 * sentences are left out. For regression the columns are `text` and `rating`, the mean rating, of all sentences.
 * @param options columns and labels
 * @throws ReviewsError if set-up has not been run, or if the options do not fit
 */
export async function embeddedReviews(options: ReviewsOptions = {}): Promise<ReviewSource> {
  if (!fs.existsSync(embeddedReviewsFile))
    throw new ReviewsError('REVIEWS_NOT_INSTALLED', `The embedded reviews are not installed. Run ${setUpCommand}.`);
  const isNumeric = options.problemType === 'regression';
  const rows: Row[] = [];
  const labels = new Map(names.map((label) => [label, 0]));
  let neutral = 0;
  // The file dates from 2014 and is encoded in Latin-1.
  for (const line of fs.readFileSync(embeddedReviewsFile, 'latin1').split('\n')) {
    if (line === '') continue;
    const [, rating = '', text = ''] = line.split('\t');
    const mean = Number(rating);
    if (isNumeric) rows.push({ text, rating: mean });
    else if (Math.abs(mean) < threshold) neutral++;
    else {
      const label = mean > 0 ? 'positive' : 'negative';
      rows.push({ text, label });
      labels.set(label, labels.get(label)! + 1);
    }
  }
  const name = 'embedded: sentences of Amazon product reviews (Hutto and Gilbert, 2014)';
  const { size } = fs.statSync(embeddedReviewsFile);
  const file: RowFile = {
    name,
    columns: ['text', isNumeric ? 'rating' : 'label'],
    rows: rows.length,
    chunks: chunksOf(0, rows.length, size),
    classNames: isNumeric ? {} : { label: names },
    ...(!isNumeric && { labels }),
    description: { format: 'embedded' },
    read: ({ start, rows: count }) => Promise.resolve(rows.slice(start, start + count)),
  };
  const source = await createSource(name, [{ name, split: 'train', content: { file } }], options, {
    files: [{ file: 'amazonReviewSnippets_GroundTruth.txt', size, from: 'embedded' }],
  });
  source.dropped.belowThreshold = neutral;
  return source;
}
