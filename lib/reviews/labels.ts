/** From what stands in a label column to class numbers: whole numbers, stars, booleans and names, by a mapping or as they come. */
import { ReviewsError } from '../errors.js';
import { labelText, type LabelMapping } from '../settings/label-mapping.js';

/** What the values of a label column mean. */
export interface Classes {
  /** By class number. */
  names: string[];
  /** Class numbers by what stands in the column, as text. */
  numberOf: Record<string, number>;
  /** What is not in `numberOf` is left out on purpose, like the middle of five stars. */
  partial: boolean;
  /** What stands in the column where a label is kept secret: -1 in data sets that name their classes. */
  secret?: string;
}

/** Of texts that nobody has judged. */
export const noClasses: Classes = { names: ['text'], numberOf: {}, partial: false };

/** Classes of a label mapping; rows with other labels are left out. */
export const mappedClasses = (mapping: LabelMapping): Classes => ({
  names: Object.keys(mapping),
  numberOf: Object.fromEntries(
    Object.values(mapping).flatMap((labels, number) => labels.map((label) => [label, number])),
  ),
  partial: true,
});

/** Classes that a data set names: its column holds their numbers, or their names. */
export function namedClasses(names: string[]): Classes {
  const byNumber = names.map((_, number) => [String(number), number]);
  const byName = names.map((name, number) => [labelText(name), number]);
  return {
    names,
    numberOf: Object.fromEntries([...byName, ...byNumber]) as Record<string, number>,
    partial: false,
    secret: '-1',
  };
}

/** More different labels than this are no classes but something else. */
const mostClasses = 100;

/**
 * The values of a column as classes, in their order: numbers by size, names by alphabet. 0 and 1 are named negative and
 * positive.
 * @throws ReviewsError for more than 100
 */
export function classesOfValues(values: Iterable<string>, column: string): Classes {
  const sorted = [...new Set(values)].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1));
  if (sorted.length > mostClasses)
    throw new ReviewsError(
      'REVIEWS_TOO_MANY_CLASSES',
      `'${column}' holds ${sorted.length} different values (${sorted.slice(0, 3).join(', ')}, …): is it the label column?`,
      { column, classes: sorted.length },
    );
  const names = sorted.join() === '0,1' ? ['negative', 'positive'] : sorted;
  return { names, numberOf: Object.fromEntries(sorted.map((value, number) => [value, number])), partial: false };
}
