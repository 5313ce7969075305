/** The embedded reviews (data/README.md): sentences of Amazon product reviews with the mean of 20 people's ratings, -4 to 4. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ReviewsError, type Review, type ReviewSet } from './review.js';
import { reviewTable } from './table.js';

/** data/embedded of this checkout, which set-up fills. */
export const embeddedFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../data/embedded');

/** The embedded DistilBERT's folder. */
export const embeddedModelFolder = path.join(embeddedFolder, 'model');

/**
 * @param threshold sentences whose mean rating is nearer to 0 are left out as neutral, default 0.5
 * @throws ReviewsError when set-up has not been run
 */
export function embeddedReviews(threshold = 0.5): ReviewSet {
  const file = path.join(embeddedFolder, 'reviews/amazonReviewSnippets_GroundTruth.txt');
  if (!fs.existsSync(file)) throw new ReviewsError('The embedded reviews are not there yet. Run npm run setup.');
  const labelNames = ['negative', 'positive'];
  const dropped = { emptyText: 0, missingLabel: 0, belowThreshold: 0 };
  const reviews: Review[] = [];
  // The file is of 2014 and in Latin-1.
  for (const line of fs.readFileSync(file, 'latin1').split('\n')) {
    if (line === '') continue;
    const [, rating = '', text = ''] = line.split('\t');
    const mean = Number(rating);
    if (!text.trim()) dropped.emptyText++;
    else if (rating.trim() === '' || Number.isNaN(mean)) dropped.missingLabel++;
    else if (Math.abs(mean) < threshold) dropped.belowThreshold++;
    else reviews.push({ text: text.trim(), label: mean > 0 ? 1 : 0 });
  }
  return {
    table: reviewTable(reviews, labelNames),
    labelNames,
    dropped,
    source: 'embedded: sentences of Amazon product reviews (Hutto and Gilbert, 2014)',
  };
}
