/**
 * Conversion of the values of a label column to class numbers. Values are numbers, star ratings, booleans or names. A
 * label mapping assigns them to classes; without one, each value is a class.
 */
import { ReviewsError } from '../errors.js';
import {
  formatLabelMapping,
  isMultiLabel,
  labelKey,
  labelNumber,
  labelText,
  rangeOf,
  type LabelMapping,
} from '../settings/label-mapping.js';
import type { ProblemType } from '../settings/problem-type.js';
import { settingText } from '../settings/setting-text.js';
import { groupBy } from './group.js';
import { isMissing } from './missing-values.js';

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
  /**
   * For regression the values are numbers to predict, and `names` has only the name of the column; for multi-label classification they
   * are lists. @default single_label_classification
   */
  problemType?: ProblemType;
}

/** The single class of unlabeled texts. */
export const noClasses: Classes = { names: ['text'], numberOf: {}, partial: false };

/** Labels that are numbers to predict. */
export const numericLabels = (column: string): Classes => ({
  names: [column],
  numberOf: {},
  partial: false,
  problemType: 'regression',
});

/** A number in decimal notation that float32 can represent; undefined for another text. */
function numberOfText(text: string): number | undefined {
  const number = /^[+-]?0[box]/i.test(text) || text === '' ? NaN : Number(text);
  return Number.isFinite(Math.fround(number)) ? number : undefined;
}

/** The class number of a value, or the number itself if labels are numbers; undefined if it belongs to no class or is no number. */
export function classNumber(
  { numberOf, ranges = [], problemType, hiddenLabel }: Classes,
  value: unknown,
): number | undefined {
  const key = labelKey(value);
  // Strict: 8/10 and 4/5 are numbers of different scales.
  if (problemType === 'regression') return key === hiddenLabel ? undefined : numberOfText(key);
  if (Object.hasOwn(numberOf, key)) return numberOf[key];
  const number = labelNumber(key);
  return ranges.find(({ low, high }) => low <= number && number <= high)?.number;
}

/**
 * Classes of a label mapping; rows with other labels are left out.
 * @param names class names of the data set by number, which the mapping may use too. @default none
 */
export function mappedClasses(mapping: LabelMapping, names: string[] = []): Classes {
  const labels = Object.values(mapping).flatMap((list, number) => list.map((label) => ({ label, number })));
  const ranges = labels.flatMap(({ label, number }) => {
    const range = rangeOf(label);
    return range ? [{ ...range, number }] : [];
  });
  // A column may also contain the text of a range: '1-2'.
  const numberOf = Object.fromEntries(labels.map(({ label, number }) => [labelKey(label), number]));
  for (const [i, name] of names.entries()) {
    const number = numberOf[labelKey(name)];
    if (number !== undefined) numberOf[String(i)] ??= number;
  }
  return { names: Object.keys(mapping), numberOf, ...(ranges.length > 0 && { ranges }), partial: true };
}

/**
 * Compares a label mapping with the labels of a column.
 * @param labels number of rows by label
 * @returns a note on labels that the mapping contains and the column does not
 * @throws ReviewsError if a class has no rows although others have some, unless `labelsOptional`
 */
export function compareMapping(
  mapping: LabelMapping,
  labels: Map<string, number>,
  column: string,
  { labelsOptional = false }: { labelsOptional?: boolean | undefined },
): string[] {
  const keys = [...labels.keys()].map(labelKey);
  const occurs = (label: string) => {
    const range = rangeOf(label);
    return keys.some(
      (key) => key === labelKey(label) || (range && range.low <= labelNumber(key) && labelNumber(key) <= range.high),
    );
  };
  const classes = Object.entries(mapping);
  const empty = classes.filter(([, list]) => !list.some(occurs)).map(([name]) => name);
  if (empty.length > 0 && empty.length < classes.length && !labelsOptional)
    throw new ReviewsError(
      'REVIEWS_EMPTY_CLASS',
      `The label mapping has the class ${empty[0]} (${mapping[empty[0]!]!.join(', ')}), but no row of '${column}' belongs to it. ` +
        `The column contains ${listLabels(labels)}. Correct ${settingText('labelMapping')}.`,
      { class: empty[0], column, labels: [...labels.keys()].sort() },
    );
  const unused = classes.flatMap(([, list]) => list.filter((label) => !occurs(label)));
  return unused.length > 0 && empty.length < classes.length
    ? [`Labels of the mapping that '${column}' does not contain: ${unused.join(', ')}.`]
    : [];
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

/** Compares names, and numbers within them: Topic 2 precedes Topic 10. */
const collator = new Intl.Collator('en', { numeric: true });

/** Labels in order: numbers ascending, then names in alphabetical order. */
const sortedLabels = (labels: Iterable<string>): string[] =>
  [...labels].sort((a, b) => labelNumber(a) - labelNumber(b) || collator.compare(a, b));

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
  negative: /^(neg|negative|negativ|bad|no|false|unhelpful|schlecht)$/,
  positive: /^(pos|positive|positiv|good|yes|true|helpful|gut)$/,
};

/** The middle of a number, a rating or a range such as `1-2`; NaN of other labels. */
function middleOf(label: string): number {
  const range = rangeOf(label);
  return range ? (range.low + range.high) / 2 : labelNumber(label);
}

/** Proposes a mapping of labels to classes that fits: the lower numbers are negative, the higher ones positive. */
export function proposeMapping(labels: Iterable<string>): LabelMapping {
  const sorted = sortedLabels(new Map([...labels].map((label) => [labelKey(label), label])).values());
  if (sorted.length >= 2 && sorted.every((label) => Number.isFinite(middleOf(label)))) {
    sorted.sort((a, b) => middleOf(a) - middleOf(b));
    const middle = (middleOf(sorted[0]!) + middleOf(sorted.at(-1)!)) / 2;
    const [below, above] = [
      sorted.filter((label) => middleOf(label) < middle),
      sorted.filter((label) => middleOf(label) > middle),
    ];
    const isPlain = sorted.every((label) => Number.isFinite(Number(label)));
    const range = (values: string[]) =>
      isPlain && values.length > 1 ? [`${values[0]}-${values.at(-1)}`] : values.slice(0, maxListed);
    return { negative: range(below), positive: range(above) };
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

/** Number of classes above which numbers are probably a quantity. */
const manyClasses = 20;

/** A note on numbers that are probably a quantity rather than classes. */
const numbersNote = (sorted: string[], column: string): string[] =>
  sorted.length > manyClasses && sorted.every((label) => Number.isFinite(labelNumber(label)))
    ? [
        `Each of the ${sorted.length} different numbers in '${column}' is a class. To make classes of ranges: ${proposedMapping(sorted)}.`,
      ]
    : [];

/** A note on labels such as `N/A` that are read as missing, and how to make them classes. */
const missingNote = (missing: Map<string, number>): string[] =>
  missing.size === 0
    ? []
    : [
        `Read as no label: ${listLabels(missing)}. To make them classes, map all labels: ` +
          `${settingText('labelMapping', [...missing.keys()].map((label) => `${label} -> ${label}`).join('; '))} and so on.`,
      ];

/**
 * Groups labels that differ only in case or surrounding spaces, which are one class.
 * @param labels number of rows by label
 * @returns the spellings of each class by its most frequent one, in the order of the classes: numbers ascending, then names
 * @throws ReviewsError if there are more than 100 classes
 */
export function groupSpellings(labels: Map<string, number>, column: string): Map<string, string[]> {
  const groups = groupBy(labels.keys(), labelKey);
  if (groups.size > maxClasses)
    throw new ReviewsError(
      'REVIEWS_TOO_MANY_CLASSES',
      `'${column}' contains ${groups.size > 1000 ? 'more than 1,000' : groups.size} different values, such as ` +
        `${sortedLabels(labels.keys())
          .slice(0, 3)
          .map((label) => `'${label}'`)
          .join(
            ', ',
          )}; the maximum is ${maxClasses} classes. Check that it is the label column (${settingText('labelColumn')})` +
        ([...labels.keys()].every((label) => Number.isFinite(labelNumber(label)))
          ? `, or make classes of ranges: ${proposedMapping(labels.keys())}.`
          : ', or map its values to fewer classes.'),
      { column, classes: groups.size },
    );
  const spellings = [...groups.values()].map((group) => group.sort((a, b) => labels.get(b)! - labels.get(a)!));
  const nameOf = new Map(spellings.map((group) => [group[0]!, group]));
  return new Map(sortedLabels(nameOf.keys()).map((name) => [name, nameOf.get(name)!]));
}

/** A note for each class with several spellings. */
export const spellingNotes = (spellings: Map<string, string[]>): string[] =>
  [...spellings]
    .filter(([, group]) => group.length > 1)
    .map(([name, group]) => `${group.map((label) => `'${label}'`).join(', ')} are one class: ${name}.`);

/**
 * Makes each value of a column a class: numbers in ascending order, names in alphabetical order. Values that differ only
 * in case or surrounding spaces are one class, named by its most frequent spelling. 0 and 1 are named negative and
 * positive.
 * @param labels number of rows by value
 * @param name of the file, for errors
 * @param missingSpellings whether `N/A` and the like are no labels
 * @returns the classes, and for each that has several spellings a sentence
 * @throws ReviewsError if there are more than 100 values, or one joins several labels
 */
export function classesOfValues(
  labels: Map<string, number>,
  column: string,
  name: string,
  missingSpellings: boolean,
): { classes: Classes; notes: string[] } {
  const [joined] = joinedLabels([...labels.keys()]);
  if (joined !== undefined)
    throw severalLabelsError(
      name,
      column,
      joined,
      ` To use the rows with one label only, or to make '${joined}' a class, name the classes with ${settingText('labelMapping')}.`,
    );
  const missing = new Map([...labels].filter(([label]) => missingSpellings && isMissing(label)));
  const spellings = groupSpellings(new Map([...labels].filter(([label]) => !missing.has(label))), column);
  const sorted = [...spellings.keys()];
  const isBinary = sorted.join() === '0,1';
  return {
    classes: {
      names: isBinary ? ['negative', 'positive'] : sorted,
      numberOf: Object.fromEntries(sorted.map((name, number) => [labelKey(name), number])),
      partial: false,
    },
    notes: [
      ...spellingNotes(spellings),
      ...(isBinary
        ? [
            '0 is named negative and 1 positive; to name them otherwise: ' +
              settingText('labelMapping', '0 -> no; 1 -> yes') +
              '.',
          ]
        : []),
      ...numbersNote(sorted, column),
      ...missingNote(missing),
    ],
  };
}

/** @param row number of the row in its file, from 1 and without a header */
export const unknownLabelError = (name: string, column: string, label: string, { names }: Classes, row?: number) =>
  new ReviewsError(
    'REVIEWS_UNKNOWN_LABEL',
    `${name} has a row${row === undefined ? '' : `, number ${row},`} with the label '${label}' in '${column}', which is not one of ${names.join(', ')}. ` +
      (row === undefined
        ? `Correct the row, or name the classes with ${settingText('labelMapping')}.`
        : 'Correct the row, or leave it out.'),
    { file: name, column, label, labels: names, ...(row !== undefined && { row }) },
  );

/** @param row number of the row in its file, from 1 and without a header */
export function notANumberError(name: string, column: string, row: number, value: unknown): ReviewsError {
  const label = labelText(value);
  const number = Number(label);
  const isTooLarge = Number.isFinite(number) && !Number.isFinite(Math.fround(number));
  const reason = isTooLarge ? 'beyond the range of float32' : 'not a number';
  return new ReviewsError(
    'REVIEWS_LABEL_NOT_NUMBER',
    `${name}, row ${row}: the label in '${column}' is '${label}', which is ${reason}. Regression (${settingText('problemType')}) ` +
      `needs numbers: correct the row, or name another column with ${settingText('labelColumn')}.`,
    { file: name, column, row, value: label, isTooLarge },
  );
}

const severalLabelsError = (name: string, column: string, value: unknown, remedy = '') =>
  new ReviewsError(
    'REVIEWS_MULTI_LABEL',
    `${name} has rows with several labels in '${column}', such as ${typeof value === 'string' ? value : JSON.stringify(value)}; ` +
      `a review must have one. To predict all of them: ${settingText('problemType', 'multi_label_classification')}. ` +
      `Otherwise keep one label per row.${remedy}`,
    { file: name, column, value },
  );

/** @throws ReviewsError if a value is a list of several labels, or an object */
export function checkSingleLabel(name: string, column: string, value: unknown): void {
  if (isMultiLabel(value)) throw severalLabelsError(name, column, value);
  if (typeof value === 'object' && value?.constructor === Object)
    throw new ReviewsError(
      'REVIEWS_NO_LABEL_COLUMN',
      `${name} has objects in '${column}', such as ${JSON.stringify(value)}, and not labels. ` +
        `Move the label to a column of its own, or name another column with ${settingText('labelColumn')}.`,
      { file: name, column, value },
    );
}

/** The labels that join others of the column: `price|quality` and `price|service`, or `a, b` beside `a` and `b`. */
export function joinedLabels(labels: string[]): string[] {
  const names = labels.filter((label) => Number.isNaN(labelNumber(label)));
  const all = new Set(labels);
  const partsOf = (label: string) => label.split(/[,;|]/).map((part) => part.trim());
  const counts = new Map<string, number>();
  for (const part of names.flatMap(partsOf)) counts.set(part, (counts.get(part) ?? 0) + 1);
  return names.filter((label) => {
    const parts = partsOf(label);
    if (parts.length < 2 || parts.some((part) => part === '')) return false;
    const isList = /[;|]/.test(label) && parts.some((part) => all.has(part) || counts.get(part)! > 1);
    return isList || parts.every((part) => all.has(part));
  });
}
