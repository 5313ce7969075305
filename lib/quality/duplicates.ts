/**
 * Texts that occur more than once. Case and spacing are ignored, as in `splitReviews`, which keeps the copies of a text
 * in one split.
 */
import type { SplitName } from '../hub/dataset.js';
import { groupBy } from '../reviews/group.js';
import { joinedText, normalizedText, type Review } from '../reviews/review.js';

/** A text that occurs more than once. */
export interface DuplicateText {
  text: string;
  /** Number of rows with this text. */
  rows: number;
  /** Different class numbers of these rows, in ascending order. */
  labels: number[];
}

/** Rows whose text is also in another split of the data set. */
export interface SharedRows {
  /** The split of these rows. */
  split: SplitName;
  /** The split that has the same texts. */
  other: SplitName;
  rows: number;
}

/** The result of findDuplicates. */
export interface Duplicates {
  /** Number of rows that repeat the text of an earlier row. */
  copies: number;
  /** Texts that occur more than once, the most frequent first. */
  texts: DuplicateText[];
  /** Those of them whose rows have different labels. */
  conflicting: DuplicateText[];
  /** Rows of training and validation whose text is also in validation or test; `splitReviews` leaves them out. */
  acrossSplits: SharedRows[];
}

/**
 * Finds duplicates within and across splits, and duplicates with different labels.
 * @param reviews with `split` if the data set has splits
 * @example
 * const { copies, conflicting } = findDuplicates(await sampleReviews(source));
 */
export function findDuplicates(reviews: Review[]): Duplicates {
  const groups = [...groupBy(reviews, normalizedText).values()].filter(({ length }) => length > 1);
  const texts = groups
    .map((rows): DuplicateText => ({
      text: joinedText(rows[0]!),
      rows: rows.length,
      labels: [...new Set(rows.map(({ label }) => label))].sort((a, b) => a - b),
    }))
    .sort((a, b) => b.rows - a.rows);
  const isIn = (split: SplitName) => (review: Review) => (review.split ?? 'train') === split;
  const pairs: [SplitName, SplitName][] = [
    ['train', 'validation'],
    ['train', 'test'],
    ['validation', 'test'],
  ];
  const acrossSplits = pairs
    .map(([split, other]): SharedRows => ({
      split,
      other,
      rows: groups
        .filter((rows) => rows.some(isIn(other)))
        .reduce((sum, rows) => sum + rows.filter(isIn(split)).length, 0),
    }))
    .filter(({ rows }) => rows > 0);
  return {
    copies: groups.reduce((sum, rows) => sum + rows.length - 1, 0),
    texts,
    conflicting: texts.filter(({ labels }) => labels.length > 1),
    acrossSplits,
  };
}
