/**
 * Conversion of the values of a label column to class numbers. Values are integers, star ratings, booleans or names. A
 * label mapping assigns them to classes; without one, each value is a class.
 */
import { ReviewsError } from '../errors.js';
import { labelText, type LabelMapping } from '../settings/label-mapping.js';

/** What the values of a label column mean. */
export interface Classes {
  /** By class number. */
  names: string[];
  /** Class numbers by column value, as text. */
  numberOf: Record<string, number>;
  /** Whether to leave out rows whose value is not in `numberOf`, such as three stars; otherwise they are an error. */
  partial: boolean;
  /** The value of a hidden label: -1 in data sets that name their classes. */
  hiddenLabel?: string;
}

/** The single class of unlabeled texts. */
export const noClasses: Classes = { names: ['text'], numberOf: {}, partial: false };

/** Classes of a label mapping; rows with other labels are left out. */
export const mappedClasses = (mapping: LabelMapping): Classes => ({
  names: Object.keys(mapping),
  numberOf: Object.fromEntries(
    Object.values(mapping).flatMap((labels, number) => labels.map((label) => [label, number])),
  ),
  partial: true,
});

/** Classes that a data set names; its column contains their numbers or their names. */
export function namedClasses(names: string[]): Classes {
  const byNumber = names.map((_, number) => [String(number), number]);
  const byName = names.map((name, number) => [labelText(name), number]);
  return {
    names,
    numberOf: Object.fromEntries([...byName, ...byNumber]) as Record<string, number>,
    partial: false,
    hiddenLabel: '-1',
  };
}

/** Maximum number of classes; a column with more different values is probably not the label column. */
const maxClasses = 100;

/**
 * Makes each value of a column a class: numbers in ascending order, names in alphabetical order. 0 and 1 are named
 * negative and positive.
 * @throws ReviewsError if there are more than 100 values
 */
export function classesOfValues(values: Iterable<string>, column: string): Classes {
  const sorted = [...new Set(values)].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1));
  if (sorted.length > maxClasses)
    throw new ReviewsError(
      'REVIEWS_TOO_MANY_CLASSES',
      `'${column}' contains ${sorted.length} different values (${sorted.slice(0, 3).join(', ')}, …); the maximum is ` +
        `${maxClasses} classes. Check that it is the label column (TUNEBOOK_LABEL_COLUMN).`,
      { column, classes: sorted.length },
    );
  const names = sorted.join() === '0,1' ? ['negative', 'positive'] : sorted;
  return { names, numberOf: Object.fromEntries(sorted.map((value, number) => [value, number])), partial: false };
}
