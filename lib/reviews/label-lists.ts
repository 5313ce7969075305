/**
 * Labels of multi-label classification: a column with a list of the classes that apply, or a column of 0 and 1 for each class. A list is
 * a JSON array, also as text, or a list of Parquet; its elements are class names or class numbers, and it may be empty.
 */
import { ReviewsError } from '../errors.js';
import { labelKey, labelText } from '../settings/label-mapping.js';
import { settingText } from '../settings/setting-text.js';
import { classNumber, unknownLabelError, type Classes } from './labels.js';
import { isMissing } from './missing-values.js';

/** Where the labels of a row are, and what they mean. */
export interface LabelReading {
  labelColumn: string;
  labelColumns?: string[] | undefined;
  classes: Classes;
  missingSpellings?: boolean;
}

/** Why the labels of a row cannot be read. */
export interface InvalidLabels {
  column: string;
  value: unknown;
  reason: 'list' | 'element' | 'flag' | 'unknown';
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
    return undefined;
  }
}

/** Whether a value is missing; text that is no JSON array, such as a list of Python, is not. */
const isAbsent = (value: unknown, missingSpellings: boolean): boolean =>
  value === null ||
  value === undefined ||
  Number.isNaN(value) ||
  (typeof value === 'string' && (/^(nan)?$/i.test(value.trim()) || (missingSpellings && isMissing(value.trim()))));

/** The elements of a list as texts; undefined if the value is missing. */
function readList(value: unknown, column: string, missingSpellings: boolean): string[] | InvalidLabels | undefined {
  const elements = elementsOf(value);
  if (!elements) return isAbsent(value, missingSpellings) ? undefined : { column, value, reason: 'list' };
  const isLabel = (element: unknown) =>
    ['string', 'number', 'bigint'].includes(typeof element) && labelKey(element) !== '';
  return elements.every(isLabel) ? elements.map(labelText) : { column, value, reason: 'element' };
}

/** Values of a column of 0 and 1. */
const flags = new Map([
  ...['0', '0.0', 'false'].map((text) => [text, 0] as const),
  ...['1', '1.0', 'true'].map((text) => [text, 1] as const),
]);

/** The numbers of the columns with a 1; undefined if one is missing, or if all are hidden: -1. */
function readFlags(
  row: Record<string, unknown>,
  columns: string[],
  missingSpellings: boolean,
): number[] | InvalidLabels | undefined {
  const isHidden = (value: unknown) => labelText(value) === '-1';
  if (columns.some((column) => isAbsent(row[column], missingSpellings))) return undefined;
  if (columns.every((column) => isHidden(row[column]))) return undefined;
  const flagOf = (column: string) => {
    const value = row[column];
    if (typeof value === 'string') return flags.get(value.trim().toLowerCase());
    const isScalar = typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
    return isScalar ? flags.get(String(value)) : undefined;
  };
  const invalid = columns.find((column) => flagOf(column) === undefined);
  if (invalid !== undefined) return { column: invalid, value: row[invalid], reason: 'flag' };
  return columns.flatMap((column, number) => (flagOf(column) === 1 ? [number] : []));
}

/** The labels that a row contains as texts, before classes are known. */
export function labelTexts(
  row: Record<string, unknown>,
  { labelColumn, labelColumns, missingSpellings = false }: Omit<LabelReading, 'classes'>,
): string[] | InvalidLabels | undefined {
  if (!labelColumns) return readList(row[labelColumn], labelColumn, missingSpellings);
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

const reasons = {
  list: () =>
    'is not a list. Write a JSON array of the classes that apply, such as ["price", "quality"], or [] if none does',
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
  return new ReviewsError(
    'REVIEWS_LABELS_INVALID',
    `${name}, row ${row}: '${shown}' in '${column}' ${reasons[reason]()}.`,
    { file: name, column, row, value },
  );
}
