/**
 * Which values of a label column belong to which class: `1-2 -> negative; 4-5 -> positive`, the same as a map, or
 * `stars`, which stands for it.
 */
import { ReviewsError } from '../errors.js';

/** Labels by class name. Classes are numbered in this order; rows with other labels are left out. */
export type LabelMapping = Record<string, string[]>;

/** Forms of a rating, such as `5 stars`, `5.0 out of 5 stars` and `5/5`. */
const rating = /^\+?(-?\d+(?:\.\d+)?)\s*(?:(?:out of|of|\/)\s*\d+(?:\.\d+)?)?\s*(?:-?\s*stars?)?$/i;

/** A list as text, as in Python. */
const listText = /^\[\s*(.*?)\s*,?\s*\]$/s;

/** The elements of a list, also of one that is text such as `['a', 'b']`; undefined if the value is none. */
function elementsOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  const inner = typeof value === 'string' ? listText.exec(value.trim())?.[1] : undefined;
  if (inner === undefined) return undefined;
  return inner === '' ? [] : inner.split(/\s*,\s*/).map((part) => part.replace(/^(['"])(.*)\1$/s, '$2'));
}

/** Whether a value contains several labels: a list, or one as text, such as `['price', 'quality']`. */
export const isMultiLabel = (value: unknown): boolean => (elementsOf(value)?.length ?? 0) > 1;

/**
 * A label as text; empty for a value that cannot be a label, such as null. Ratings are numbers: `5`, `5.0`, `5 stars`
 * and `5.0 out of 5 stars` are the same. A list of one label is that label.
 */
export function labelText(value: unknown): string {
  const elements = elementsOf(value);
  if (elements) return elements.length === 1 ? labelText(elements[0]) : '';
  if (!['string', 'number', 'boolean', 'bigint'].includes(typeof value)) return '';
  const text = String(value).trim();
  if (/^nan$/i.test(text)) return '';
  // Excel writes 5,0 where the comma is the decimal separator.
  const number = rating.exec(/^\d+,0{1,2}$/.test(text) ? text.replace(',', '.') : text)?.[1];
  return number === undefined ? text : number.replace(/\.0+$/, '').replace(/(\.\d*?)0+$/, '$1');
}

/** A label in the form in which labels are compared: names that differ only in case are the same. */
export const labelKey = (value: unknown): string => labelText(value).toLowerCase().normalize('NFC');

const rangeText = /^([+-]?\d+(?:\.\d+)?)\s*(?:-|–|to|\.\.)\s*([+-]?\d+(?:\.\d+)?)$/i;

/** The bounds of a range such as `1-2`, both included; undefined if a label is none. */
export function rangeOf(label: string): { low: number; high: number } | undefined {
  const match = rangeText.exec(label);
  return match ? { low: Number(match[1]), high: Number(match[2]) } : undefined;
}

/** The classes of ratings from 1 to 5 stars. */
const stars: LabelMapping = { negative: ['1-2'], positive: ['4-5'] };

const usage =
  "Write '1-2 -> negative; 4-5 -> positive' or stars, which stands for it; in a settings file also a map such as { negative: [1, 2], positive: [4, 5] } or { 1: negative, 5: positive }.";

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The parts of a mapping: labels, and their class. */
function partsOf(mapping: unknown, invalid: (what: string, values: object) => ReviewsError): [string[], string][] {
  if (typeof mapping === 'string')
    return mapping
      .split(';')
      .filter((part) => part.trim() !== '')
      .map((part) => {
        const [, labels, name] = /^\s*(.+?)\s*->\s*(.+?)\s*$/s.exec(part) ?? [];
        if (!labels || !name) throw invalid(`has a part without a class: '${part.trim()}'`, { part: part.trim() });
        return [labels.split(','), name];
      });
  if (!isMap(mapping)) throw invalid('is neither text nor a map', {});
  return Object.entries(mapping).map(([key, value]) => {
    if (Array.isArray(value)) return [value as string[], key];
    if (typeof value === 'string') return [[key], value];
    throw invalid(`has neither labels nor a class for '${key}'`, { part: key });
  });
}

/** Whether two labels, of which each may be a range, have a value in common. */
function overlap(a: string, b: string): boolean {
  const [first, second] = [a, b].map((label) => rangeOf(label) ?? { low: Number(label), high: Number(label) });
  const bothNumeric = [first!, second!].every(({ low }) => Number.isFinite(low)) && a !== '' && b !== '';
  return labelKey(a) === labelKey(b) || (bothNumeric && first!.low <= second!.high && second!.low <= first!.high);
}

/**
 * Reads a label mapping.
 * @param mapping text; a map from class to labels; or a map from label to class
 * @throws ReviewsError if it cannot be read, contains a label twice, or has fewer than two classes
 */
export function readLabelMapping(mapping: unknown): LabelMapping {
  if (typeof mapping === 'string' && mapping.trim().toLowerCase() === 'stars') return stars;
  const shown = typeof mapping === 'string' ? mapping : JSON.stringify(mapping);
  const invalid = (what: string, values: object) =>
    new ReviewsError('LABEL_MAPPING_INVALID', `The label mapping '${shown}' ${what}. ${usage}`, {
      mapping,
      ...values,
    });
  const classes: LabelMapping = {};
  const seen: string[] = [];
  for (const [labels, name] of partsOf(mapping, invalid))
    for (const label of labels.map((each) => (rangeOf(String(each).trim()) ? String(each).trim() : labelText(each)))) {
      const range = rangeOf(label);
      if (label === '') throw invalid(`has an empty label for ${name}`, { label });
      if (range && range.low > range.high)
        throw invalid(`contains the range ${label}, which must begin with its smaller number`, { label });
      const other = seen.find((each) => overlap(each, label));
      if (other !== undefined)
        throw invalid(other === label ? `contains ${label} twice` : `contains ${other} and ${label}, which overlap`, {
          label,
        });
      seen.push(label);
      (classes[name] ??= []).push(label);
    }
  if (Object.keys(classes).length < 2) throw invalid('has fewer than two classes', { classes: Object.keys(classes) });
  return classes;
}

/** A mapping as text. */
export const formatLabelMapping = (mapping: LabelMapping): string =>
  Object.entries(mapping)
    .map(([name, labels]) => `${labels.join(',')} -> ${name}`)
    .join('; ');
