/**
 * The embedded reviews (data/README.md): sentences of Amazon product reviews, each with the mean of 20 people's ratings
 * from -4 to 4.
 */
import fs from 'node:fs';
import { ReviewsError } from '../errors.js';
import { embeddedReviewsFile } from '../hub/embedded.js';
import { nothingDropped } from './review.js';
import { namedClasses } from './labels.js';
import { chunksOf, type Chunk, type Row } from './row-file.js';
import type { ReviewSource } from './review-source.js';

/**
 * Opens the embedded reviews.
 * @param threshold minimum absolute mean rating; sentences with a smaller one are left out as neutral. @default 0.5
 * @throws ReviewsError if set-up has not been run
 */
export function embeddedReviews(threshold = 0.5): ReviewSource {
  if (!fs.existsSync(embeddedReviewsFile))
    throw new ReviewsError('REVIEWS_NOT_INSTALLED', 'The embedded reviews are not installed. Run npm run setup.');
  const dropped = nothingDropped();
  const rows: Row[] = [];
  // The file dates from 2014 and is encoded in Latin-1.
  for (const line of fs.readFileSync(embeddedReviewsFile, 'latin1').split('\n')) {
    if (line === '') continue;
    const [, rating = '', text = ''] = line.split('\t');
    const mean = Number(rating);
    if (rating.trim() === '' || Number.isNaN(mean)) dropped.missingLabel++;
    else if (Math.abs(mean) < threshold) dropped.belowThreshold++;
    else rows.push({ text, label: mean > 0 ? 1 : 0 });
  }
  const name = 'embedded: sentences of Amazon product reviews (Hutto and Gilbert, 2014)';
  const file = {
    name,
    columns: ['text', 'label'],
    rows: rows.length,
    chunks: chunksOf(0, rows.length, fs.statSync(embeddedReviewsFile).size),
    classNames: {},
    read: ({ start, rows: count }: Chunk) => Promise.resolve(rows.slice(start, start + count)),
  };
  return {
    name,
    splits: { train: [file] },
    locations: {},
    reading: { textColumns: ['text'], labelColumn: 'label', classes: namedClasses(['negative', 'positive']) },
    labelNames: ['negative', 'positive'],
    dropped,
    files: [
      { file: 'amazonReviewSnippets_GroundTruth.txt', size: fs.statSync(embeddedReviewsFile).size, from: 'embedded' },
    ],
  };
}
