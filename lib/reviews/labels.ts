/**
 * Conversion of the values of a label column to class numbers. Values are numbers, star ratings, booleans or names. A
 * label mapping assigns them to classes; without one, each value is a class.
 */
import { ReviewsError } from '../errors.js';
import { formatLabelMapping, isMultiLabel, labelKey, rangeOf, type LabelMapping } from '../settings/label-mapping.js';
import { settingText } from '../settings/setting-text.js';
import { groupBy } from './group.js';

/** What the values of a label column mean. */
export interface Classes {
  /** By class number. */
  names: string[];
  /** Class numbers by column value, as `labelKey` writes it. */
  numberOf: Record<string, number>;
  /** Ranges of numbers, bounds included, and their class numbers. */
  ranges?: { low: number; high: number; number: number }[];
  /** Whether to leave out rows whose value belongs to no class, such as three stars; otherwise they are an error. */
  partial: boolean;
  /** The value of a hidden label: -1 in data sets that name their classes. */
  hiddenLabel?: string;
}

/** The single class of unlabeled texts. */
export const noClasses: Classes = { names: ['text'], numberOf: {}, partial: false };

/** The class number of a value; undefined if it belongs to no class. */
export function classNumber({ numberOf, ranges = [] }: Classes, value: unknown): number | undefined {
  const key = labelKey(value);
  if (Object.hasOwn(numberOf, key)) return numberOf[key];
  const number = key === '' ? NaN : Number(key);
  return ranges.find(({ low, high }) => low <= number && number <= high)?.number;
}

/** Classes of a label mapping; rows with other labels are left out. */
export function mappedClasses(mapping: LabelMapping): Classes {
  const labels = Object.values(mapping).flatMap((list, number) => list.map((label) => ({ label, number })));
  const ranges = labels.flatMap(({ label, number }) => {
    const range = rangeOf(label);
    return range ? [{ ...range, number }] : [];
  });
  return {
    names: Object.keys(mapping),
    numberOf: Object.fromEntries(
      labels.filter(({ label }) => !rangeOf(label)).map(({ label, number }) => [labelKey(label), number]),
    ),
    ...(ranges.length > 0 && { ranges }),
    partial: true,
  };
}

/** Classes that a data set names; its column contains their numbers or their names. */
export function namedClasses(names: string[]): Classes {
  const byNumber = names.map((_, number) => [String(number), number]);
  const byName = names.map((name, number) => [labelKey(name), number]);
  return {
    names,
    numberOf: Object.fromEntries([...byName, ...byNumber]) as Record<string, number>,
    partial: false,
    hiddenLabel: '-1',
  };
}

/** Maximum number of classes; a column with more different values is probably not the label column. */
const maxClasses = 100;

/** Maximum number of labels that a message lists. */
const maxListed = 10;

/** Labels in order: numbers ascending, then names in alphabetical order. */
const sortedLabels = (labels: Iterable<string>): string[] =>
  [...labels].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1));

/** Labels with their counts, for messages: `'1' (24 rows), '5' (90 rows)`. */
export function listLabels(labels: Map<string, number>): string {
  const listed = sortedLabels(labels.keys())
    .slice(0, maxListed)
    .map(
      (label) => `'${label}' (${labels.get(label)!.toLocaleString('en')} ${labels.get(label) === 1 ? 'row' : 'rows'})`,
    );
  return listed.join(', ') + (labels.size > maxListed ? ', …' : '');
}

/** Names that mean negative and positive. */
const polarities = {
  negative: /^(neg|negative|negativ|bad|no|false|unhelpful|1-2|schlecht)$/,
  positive: /^(pos|positive|positiv|good|yes|true|helpful|gut)$/,
};

/** Proposes a mapping of labels to classes that fits: the lower numbers are negative, the higher ones positive. */
export function proposeMapping(labels: Iterable<string>): LabelMapping {
  const sorted = sortedLabels(labels);
  const numbers = sorted.map(Number);
  if (sorted.length >= 2 && numbers.every((number) => Number.isFinite(number))) {
    const [low, high] = [numbers[0]!, numbers.at(-1)!];
    if (sorted.length === 2) return { negative: [sorted[0]!], positive: [sorted[1]!] };
    const middle = (low + high) / 2;
    const [below, above] = [numbers.filter((number) => number < middle), numbers.filter((number) => number > middle)];
    const range = (values: number[]) => (values.length === 1 ? `${values[0]}` : `${values[0]}-${values.at(-1)}`);
    return { negative: [range(below)], positive: [range(above)] };
  }
  const withPolarity = (pattern: RegExp) => sorted.filter((label) => pattern.test(labelKey(label)));
  const negative = withPolarity(polarities.negative);
  const positive = withPolarity(polarities.positive);
  if (negative.length > 0 && positive.length > 0) return { negative, positive };
  return Object.fromEntries(sorted.slice(0, maxListed).map((label) => [label, [label]]));
}

/** A proposal as the user would write it. */
export const proposedMapping = (labels: Iterable<string>): string =>
  settingText('labelMapping', formatLabelMapping(proposeMapping(labels)));

/**
 * Makes each value of a column a class: numbers in ascending order, names in alphabetical order. Values that differ only
 * in case or surrounding spaces are one class, named by its most frequent spelling. 0 and 1 are named negative and
 * positive.
 * @param labels number of rows by value
 * @returns the classes, and for each that has several spellings a sentence
 * @throws ReviewsError if there are more than 100 values
 */
export function classesOfValues(labels: Map<string, number>, column: string): { classes: Classes; notes: string[] } {
  const groups = groupBy(labels.keys(), labelKey);
  if (groups.size > maxClasses)
    throw new ReviewsError(
      'REVIEWS_TOO_MANY_CLASSES',
      `'${column}' contains ${groups.size > 1000 ? 'more than 1,000' : groups.size} different values, such as ` +
        `${sortedLabels(labels.keys())
          .slice(0, 3)
          .map((label) => `'${label}'`)
          .join(', ')}; the maximum is ${maxClasses} classes. ` +
        `Check that it is the label column (${settingText('labelColumn')}), or define the classes: ${proposedMapping(labels.keys())}.`,
      { column, classes: groups.size },
    );
  const spellings = [...groups.values()].map((group) => group.sort((a, b) => labels.get(b)! - labels.get(a)!));
  const nameOf = new Map(spellings.map((group) => [group[0]!, group]));
  const sorted = sortedLabels(nameOf.keys());
  return {
    classes: {
      names: sorted.join() === '0,1' ? ['negative', 'positive'] : sorted,
      numberOf: Object.fromEntries(sorted.map((name, number) => [labelKey(name), number])),
      partial: false,
    },
    notes: spellings
      .filter((group) => group.length > 1)
      .map((group) => `${group.map((label) => `'${label}'`).join(', ')} are one class: ${group[0]}.`),
  };
}

/** @throws ReviewsError if a value contains several labels */
export function checkSingleLabel(name: string, column: string, value: unknown): void {
  if (isMultiLabel(value))
    throw new ReviewsError(
      'REVIEWS_MULTI_LABEL',
      `${name} has rows with several labels in '${column}', such as ${typeof value === 'string' ? value : JSON.stringify(value)}; ` +
        'a review must have one. Keep one label per row, or train a model per label on a column of its own.',
      { file: name, column, value },
    );
}
