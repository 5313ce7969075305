/**
 * Folds for cross-validation: stratified by class, with the copies of a text in one fold, as scikit-learn's StratifiedGroupKFold
 * makes them if the groups are the texts.
 */
import { ReviewsError } from '../errors.js';
import type { Fold } from '../settings/fold.js';
import { settingText } from '../settings/setting-text.js';
import { groupBy } from './group.js';
import { seededRandom, shuffle } from './random.js';
import { normalizedText, type Review } from './review.js';
import { splitReviews, type ReviewSplit, type SplitOptions } from './split.js';

/** Groups of rows with the same text. */
const copiesOf = (reviews: Review[]): number[][] => [
  ...groupBy(reviews.keys(), (row) => normalizedText(reviews[row]!)).values(),
];

/**
 * Assigns each review to a fold. Texts with most copies come first, and each goes to the fold with the fewest rows of its classes,
 * among several to the one with the fewest rows. If no text has copies, the folds differ by at most one row, and by at most one row of
 * each class.
 * @param folds number of folds
 * @param seed the same seed gives the same folds
 * @returns the fold of each review, from 0
 */
export function stratifiedFolds(reviews: Review[], folds: number, seed: number): number[] {
  const random = seededRandom(seed);
  const byClass = [...groupBy(copiesOf(reviews), ([first]) => reviews[first!]!.label).values()];
  const groups = byClass.flatMap((group) => shuffle(group, random)).sort((a, b) => b.length - a.length);
  const sizes = new Array<number>(folds).fill(0);
  const ofClass = new Map<number, number[]>();
  const foldOf = new Array<number>(reviews.length);
  for (const rows of groups) {
    // Copies of a text may differ in class.
    const counts = groupBy(rows, (row) => reviews[row]!.label);
    for (const label of counts.keys()) if (!ofClass.has(label)) ofClass.set(label, new Array<number>(folds).fill(0));
    const load = (fold: number) =>
      [...counts].reduce((sum, [label, { length }]) => sum + length * ofClass.get(label)![fold]!, 0);
    let best = 0;
    for (let fold = 1; fold < folds; fold++)
      if (load(fold) < load(best) || (load(fold) === load(best) && sizes[fold]! < sizes[best]!)) best = fold;
    for (const row of rows) {
      foldOf[row] = best;
      ofClass.get(reviews[row]!.label)![best]!++;
    }
    sizes[best]! += rows.length;
  }
  return foldOf;
}

/** @throws ReviewsError for a class with fewer different texts than folds */
function checkClasses(reviews: Review[], { of }: Fold, labelNames: string[]): void {
  const texts = groupBy(copiesOf(reviews), ([first]) => reviews[first!]!.label);
  for (const [label, { length }] of texts)
    if (length < of) {
      const name = labelNames[label] ?? String(label);
      throw new ReviewsError(
        'REVIEWS_SMALL_CLASS',
        `The class ${name} has ${length} different ${length === 1 ? 'text' : 'texts'} among ${reviews.length} rows, fewer than the ` +
          `${of} folds, so that some would have none. Use fewer folds, add or sample more rows, or join or leave out classes with ${settingText('labelMapping')}.`,
        { rows: reviews.length, label: name, texts: length, folds: of },
      );
    }
}

/**
 * Splits reviews for one fold of a cross-validation: the fold is the test set, validation and training sets are made of the others
 * as splitReviews does. Rows of the data set's own test split are not used. Each test review has its `row`.
 * @param reviews of sampleReviews
 * @param fold which fold is the test set
 * @param options seed, which also determines the folds, and others of splitReviews
 * @throws ReviewsError for a class with fewer different texts than folds, and see splitReviews
 */
export function splitFold(reviews: Review[], fold: Fold, options: SplitOptions & { seed: number }): ReviewSplit {
  const rows = reviews.filter(({ split }) => split !== 'test');
  checkClasses(rows, fold, options.labelNames ?? []);
  const foldOf = stratifiedFolds(rows, fold.of, options.seed);
  const marked = rows.map((review, row): Review => {
    const split = foldOf[row] === fold.number - 1 ? 'test' : 'train';
    return { ...review, row, split };
  });
  return splitReviews(marked, options);
}
