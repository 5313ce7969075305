/** Reviews from a name to training, validation and test sets, in one call. */
import { createHash } from 'node:crypto';
import type { DownloadOptions } from '../hub/download.js';
import { ReviewsError } from '../errors.js';
import { describeDevice } from '../tensorflow/device.js';
import type { Fold } from '../settings/fold.js';
import { settingText } from '../settings/setting-text.js';
import type { Review } from './review.js';
import { splitFold } from './folds.js';
import { openReviews } from './open-reviews.js';
import type { ReviewsOptions } from './reviews-options.js';
import type { ReviewSource } from './review-source.js';
import { sampleReviews, sampleSize } from './sample.js';
import { splitReviews, type ReviewSplit } from './split.js';

/** Options of `loadReviews`: the settings of a run fit. */
export interface LoadReviewsOptions extends ReviewsOptions, DownloadOptions {
  /** Number of reviews to sample at random; -1 for all. @default all; of a data set on the hub 20,000 with a GPU, 2,000 without */
  rows?: number | undefined;
  /** Random seed of the sample and of the split. @default 42 */
  seed?: number;
  /** Maximum number of training reviews; -1 for all. @default -1 */
  maxTrainSamples?: number;
  /** The fold of a cross-validation that is the test set. @default no cross-validation */
  fold?: Fold | undefined;
}

/** Reviews for training, validation and test. */
export interface LoadedReviews extends ReviewSplit {
  /** Class names by class number. */
  labels: string[];
  /** Where they are from, and what was left out. */
  source: ReviewSource;
}

/** A fingerprint of reviews and their labels, in their order. */
function fingerprintOf(reviews: Review[], labelNames: string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(labelNames));
  for (const { text, pair, label, labels } of reviews) hash.update(JSON.stringify([text, pair, label, labels]));
  return hash.digest('hex').slice(0, 16);
}

/** @throws ReviewsError if all reviews have the same number */
function checkNumbersDiffer(reviews: Review[], { name, reading: { labelColumn } }: ReviewSource): void {
  const number = reviews[0]!.label;
  if (reviews.some(({ label }) => label !== number)) return;
  throw new ReviewsError(
    'REVIEWS_ONE_NUMBER',
    `All ${reviews.length} rows of ${name} have the number ${number} in '${labelColumn}'; there is nothing to predict. ` +
      `Check the label column (${settingText('labelColumn')}). If the rows are sorted by label, sample more of them.`,
    { name, column: labelColumn, number, rows: reviews.length },
  );
}

/** @throws ReviewsError if the same classes apply to all reviews */
function checkLabelsDiffer(reviews: Review[], { name, labelNames, reading: { labelColumn } }: ReviewSource): void {
  const key = ({ labels }: Review) => labels!.join();
  if (reviews.some((review) => key(review) !== key(reviews[0]!))) return;
  const classes = reviews[0]!.labels!.map((label) => labelNames[label]!);
  throw new ReviewsError(
    'REVIEWS_ONE_CLASS',
    `All ${reviews.length} rows of ${name} have the same classes in '${labelColumn}' (${classes.join(', ') || 'none'}); there is nothing to predict. ` +
      `Check the label column (${settingText('labelColumn')}). If the rows are sorted by label, sample more of them.`,
    { name, column: labelColumn, labels: classes, rows: reviews.length },
  );
}

/**
 * Opens, samples and splits reviews; the same result each time for the same options.
 * @param name `embedded`, a file or folder in any of the formats of lib/reviews/README.md, or a data set on the hub
 * @param options see LoadReviewsOptions
 * @throws FileError, ReviewsError, HubError
 * @example
 * const reviews = await loadReviews('embedded', { seed: 42 });
 */
export async function loadReviews(name: string, options: LoadReviewsOptions = {}): Promise<LoadedReviews> {
  const { rows, seed = 42, maxTrainSamples = -1, streaming = false, fold } = options;
  const source = await openReviews(name, options);
  const { labelNames: labels } = source;
  const size = sampleSize({ rows, streaming }, source, describeDevice());
  const { labelColumn, classes } = source.reading;
  const { problemType = 'single_label_classification' } = classes;
  // Reviews with numbers or several classes are not stratified.
  const stratify = problemType === 'single_label_classification';
  const labeled = labelColumn !== undefined && stratify;
  const sample = await sampleReviews(source, { rows: size, seed, stratify });
  const splitting = { seed, maxTrainSamples, labelNames: labels, labeled, dropped: source.dropped };
  if (problemType === 'regression') checkNumbersDiffer(sample, source);
  if (problemType === 'multi_label_classification') checkLabelsDiffer(sample, source);
  source.fingerprint = fingerprintOf(sample, labels);
  if (!fold) return { ...splitReviews(sample, splitting), labels, source };
  const testRows = sample.filter(({ split }) => split === 'test').length;
  if (testRows > 0)
    source.notes.push(`The ${testRows} rows of the data set's own test split are not used in cross-validation.`);
  return { ...splitFold(sample, fold, splitting), labels, source };
}
