/**
 * Labels of multi-label classification: a column with a list of the classes that apply, or a column of 0 and 1 for each class. A list is
 * a JSON array, also as text, a list of Parquet, or one in the syntax of Python; its elements are class names or class numbers, and it may be
 * empty. A column without such lists may separate its labels, `price|quality`.
 */
import { ReviewsError } from '../errors.js';
import { labelKey, labelText } from '../settings/label-mapping.js';
import { settingText } from '../settings/setting-text.js';
import { classNumber, joinedLabels, unknownLabelError, type Classes } from './labels.js';
import { isMissing } from './missing-values.js';
import { parsePythonList } from './python-list.js';

/** Where the labels of a row are, and what they mean. */
export interface LabelReading {
  labelColumn: string;
  labelColumns?: string[] | undefined;
  labelSeparator?: string | undefined;
  classes: Classes;
  missingSpellings?: boolean;
}

/** Why the labels of a row cannot be read. */
export interface InvalidLabels {
  column: string;
  value: unknown;
  reason: 'list' | 'separated' | 'element' | 'flag' | 'unknown';
}

/** The elements of a list; undefined for any other value. */
function elementsOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  // Parquet's integers may be a typed array.
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as Int32Array);
  if (typeof value !== 'string') return undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return parsePythonList(value);
  }
}

/** Whether a value is a text or a number. */
const isScalar = (value: unknown) => ['string', 'number', 'bigint'].includes(typeof value);

/** Characters that may separate labels; a comma is too often part of a name. */
const separators = ['|', ';'];

/** The labels of a text without brackets; undefined if it may be split otherwise too. */
function separatedLabels(value: string, separator: string): string[] | undefined {
  const isAmbiguous = /^\s*\[/.test(value) || separators.some((each) => each !== separator && value.includes(each));
  return isAmbiguous ? undefined : value.split(separator).map((part) => part.trim());
}

/**
 * The character that separates the labels of a column, if it has no lists and single-label classification would reject it too.
 * @param values different values of the column
 * @param missingSpellings whether `N/A` and the like are no labels
 * @returns undefined if the values may be read in several ways, or no value has several labels
 */
export function separatorOf(values: unknown[], missingSpellings = false): string | undefined {
  const present = values.filter((value) => !isAbsent(value, missingSpellings));
  if (!present.every(isScalar)) return undefined;
  const texts = present.map(String);
  const candidates = separators.filter((each) => texts.some((text) => text.includes(each)));
  const [separator] = candidates;
  if (candidates.length !== 1 || joinedLabels(texts).every((label) => !label.includes(separator!))) return undefined;
  const lists = texts.map((text) => separatedLabels(text, separator!));
  // A part such as `a, b` beside the labels a and b would be a list in a list.
  const isList = lists.every((list) => list?.every((label) => label !== ''));
  return isList && joinedLabels([...new Set(lists.flatMap((list) => list!))]).length === 0 ? separator : undefined;
}

/** Whether a value is missing; other text that is no list is not. */
const isAbsent = (value: unknown, missingSpellings: boolean): boolean =>
  value === null ||
  value === undefined ||
  Number.isNaN(value) ||
  (typeof value === 'string' && (/^(nan)?$/i.test(value.trim()) || (missingSpellings && isMissing(value.trim()))));

/** The elements of a list as texts; undefined if the value is missing. */
function readList(
  value: unknown,
  column: string,
  missingSpellings: boolean,
  separator: string | undefined,
): string[] | InvalidLabels | undefined {
  if (isAbsent(value, missingSpellings)) return undefined;
  const elements =
    separator === undefined
      ? elementsOf(value)
      : isScalar(value)
        ? separatedLabels(String(value), separator)
        : undefined;
  if (!elements) return { column, value, reason: separator === undefined ? 'list' : 'separated' };
  const isLabel = (element: unknown) => isScalar(element) && labelKey(element) !== '';
  return elements.every(isLabel) ? elements.map(labelText) : { column, value, reason: 'element' };
}

/** Values of a column of 0 and 1. */
const flags = new Map([
  ...['0', '0.0', 'false'].map((text) => [text, 0] as const),
  ...['1', '1.0', 'true'].map((text) => [text, 1] as const),
]);

/** The 0 or 1 of a value; undefined for any other value. */
function flagOf(value: unknown): number | undefined {
  if (typeof value === 'string') return flags.get(value.trim().toLowerCase());
  return isScalar(value) || typeof value === 'boolean' ? flags.get(String(value)) : undefined;
}

/** Whether a value is 0 or 1, also as text or boolean. */
export const isFlag = (value: unknown): boolean => flagOf(value) !== undefined;

/** The numbers of the columns with a 1; undefined if one is missing, or if all are hidden: -1. */
function readFlags(
  row: Record<string, unknown>,
  columns: string[],
  missingSpellings: boolean,
): number[] | InvalidLabels | undefined {
  const isHidden = (value: unknown) => labelText(value) === '-1';
  if (columns.some((column) => isAbsent(row[column], missingSpellings))) return undefined;
  if (columns.every((column) => isHidden(row[column]))) return undefined;
  const invalid = columns.find((column) => !isFlag(row[column]));
  if (invalid !== undefined) return { column: invalid, value: row[invalid], reason: 'flag' };
  return columns.flatMap((column, number) => (flagOf(row[column]) === 1 ? [number] : []));
}

/** The labels that a row contains as texts, before classes are known. */
export function labelTexts(
  row: Record<string, unknown>,
  { labelColumn, labelColumns, labelSeparator, missingSpellings = false }: Omit<LabelReading, 'classes'>,
): string[] | InvalidLabels | undefined {
  if (!labelColumns) return readList(row[labelColumn], labelColumn, missingSpellings, labelSeparator);
  const numbers = readFlags(row, labelColumns, missingSpellings);
  return Array.isArray(numbers) ? numbers.map((number) => labelColumns[number]!) : numbers;
}

/**
 * The numbers of the classes of a row, ascending.
 * @returns undefined if they are missing
 */
export function readLabels(row: Record<string, unknown>, reading: LabelReading): number[] | InvalidLabels | undefined {
  const texts = labelTexts(row, reading);
  if (!Array.isArray(texts)) return texts;
  const { labelColumns, classes } = reading;
  const numbers = texts.map((text) => (labelColumns ? labelColumns.indexOf(text) : classNumber(classes, text)));
  const unknown = numbers.indexOf(undefined);
  if (unknown >= 0) return { column: reading.labelColumn, value: texts[unknown], reason: 'unknown' };
  return [...new Set(numbers as number[])].sort((a, b) => a - b);
}

const writeLists =
  'Write a JSON array of the classes that apply in all rows, such as ["price", "quality"], or [] if none does';

const reasons = {
  list: () => `is not a list. ${writeLists}; or separate the classes by | in all rows, such as price|quality`,
  // `separatorOf` has found no separator without doubt.
  doubtful: () =>
    'is not a list, and its column is not read as separated classes, since one of its values is a list, has an empty class, or ' +
    `has another separator, or no class occurs in several values. ${writeLists}; or correct those values`,
  separated: () =>
    'may be read in several ways, since other rows separate their classes. Write a JSON array in all rows, such as ["price", "quality"]',
  element: () =>
    'has an element that is neither a name nor a number. Write a JSON array of class names or class numbers, such as ["price", "quality"]',
  flag: () =>
    `is neither 0 nor 1. ${settingText('labelColumn')} names several columns, each of which says whether its class applies`,
};

/** @param row number of the row in its file, from 1 and without a header */
export function labelsError(
  { column, value, reason }: InvalidLabels,
  classes: Classes,
  name: string,
  row: number,
): ReviewsError {
  if (reason === 'unknown') return unknownLabelError(name, column, String(value), classes, row);
  const shown =
    typeof value === 'string'
      ? value
      : (JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ??
        String(value));
  const isSeparated = reason === 'list' && separators.some((separator) => shown.includes(separator));
  const cause = isSeparated ? 'doubtful' : reason;
  return new ReviewsError(
    'REVIEWS_LABELS_INVALID',
    `${name}, row ${row}: '${shown}' in '${column}' ${reasons[cause]()}.`,
    { file: name, column, row, value, cause },
  );
}
