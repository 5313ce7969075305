/**
 * Which values of a label column belong to which class: `1-2 -> negative; 4-5 -> positive`, the same as a map, or
 * `stars`, which stands for it.
 */
import { ReviewsError } from '../errors.js';

/** Labels by class name. Classes are numbered in this order; rows with other labels are left out. */
export type LabelMapping = Record<string, string[]>;

/** A number as people write it: `5`, `5.0`, `5.`, `.5`; `4,5` and `4,25` where the comma is the decimal separator. */
const numberText = String.raw`-?(?:\d+(?:\.\d*|,\d{1,2})?|\.\d+)`;

/** Forms of a rating, such as `5 stars`, `5.0 out of 5 stars`, `Rated 5/5` and `8/10`. */
const rating = new RegExp(
  String.raw`^(?:rated\s+)?\+?(${numberText})\s*(?:(?:out of|of|/)\s*(${numberText})\s*)?(?:-?\s*(?:stars?|★))?$`,
  'i',
);

/** The best rating where none is stated. */
const usualMaximum = 5;

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

/** Zero-width characters, which are invisible but would make another label. */
const invisible = /[\u200B-\u200D\u2060\uFEFF]/g;

const toNumber = (text: string) => Number(text.replace(',', '.'));

/**
 * A label as text; empty for a value that cannot be a label, such as null. Ratings are numbers: `5`, `5.0`, `5 stars`
 * and `5.0 out of 5 stars` are the same; of another maximum they state it: `8/10`. A list of one label is that label.
 */
export function labelText(value: unknown): string {
  const elements = elementsOf(value);
  if (elements) return elements.length === 1 ? labelText(elements[0]) : '';
  if (!['string', 'number', 'boolean', 'bigint'].includes(typeof value)) return '';
  const text = String(value).replace(invisible, '').trim();
  if (/^nan$/i.test(text)) return '';
  const [, number, maximum] = rating.exec(text.normalize('NFKC')) ?? [];
  // Codes such as 007 are names.
  if (number === undefined || number.length > 15 || /^-?0\d/.test(number)) return text;
  const isUsual = maximum === undefined || toNumber(maximum) === usualMaximum;
  return String(toNumber(number)) + (isUsual ? '' : `/${toNumber(maximum)}`);
}

/** A label in the form in which labels are compared: names that differ only in case or spaces are the same. */
export const labelKey = (value: unknown): string =>
  labelText(value).toLowerCase().normalize('NFKC').replace(/\s+/g, ' ');

/** The number of a label, also of one such as `8/10`; NaN if it is none. */
export const labelNumber = (label: string): number =>
  label === '' ? NaN : Number(label.replace(/\/\d+(\.\d+)?$/, ''));

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

/** Splits text at a separator, but not within double quotes. */
const splitUnquoted = (text: string, separator: string): string[] =>
  text.split(new RegExp(`${separator}(?=(?:[^"]*"[^"]*")*[^"]*$)`)).map((part) => part.trim());

/** A label or a class name without the double quotes around it. */
const unquoted = (text: string): string => (/^".*"$/s.test(text) ? text.slice(1, -1).replaceAll('""', '"') : text);

/** A label or a class name, in double quotes if it contains what separates the parts of a mapping. */
const quoted = (text: string): string => (/[,;"]|->/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** The parts of a mapping: labels, and their class. */
function partsOf(mapping: unknown, invalid: (what: string, values: object) => ReviewsError): [string[], string][] {
  if (typeof mapping === 'string')
    return splitUnquoted(mapping, ';')
      .filter((part) => part !== '')
      .map((part) => {
        const [labels = '', name = '', ...rest] = splitUnquoted(part, '->');
        if (rest.length > 0) throw invalid(`has a part with two arrows: '${part}'`, { part });
        if (labels === '' || unquoted(name) === '') throw invalid(`has a part without a class: '${part}'`, { part });
        return [splitUnquoted(labels, ',').map(unquoted), unquoted(name)];
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
  const [first, second] = [a, b].map(
    (label) => rangeOf(label) ?? { low: labelNumber(label), high: labelNumber(label) },
  );
  const bothNumeric = [first!, second!].every(({ low }) => Number.isFinite(low));
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
  // A map, since a class may be named __proto__.
  const classes = new Map<string, string[]>();
  const seen: string[] = [];
  for (const [labels, name] of partsOf(mapping, invalid)) {
    const similar = [...classes.keys()].find((other) => other !== name && labelKey(other) === labelKey(name));
    if (similar !== undefined)
      throw invalid(`has the classes '${similar}' and '${name}', which differ only in case or spaces`, { class: name });
    if (!classes.has(name)) classes.set(name, []);
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
      classes.get(name)!.push(label);
    }
  }
  if (classes.size < 2) throw invalid('has fewer than two classes', { classes: [...classes.keys()] });
  return Object.fromEntries(classes);
}

/** A mapping as text. */
export const formatLabelMapping = (mapping: LabelMapping): string =>
  Object.entries(mapping)
    .map(([name, labels]) => `${labels.map(quoted).join(',')} -> ${quoted(name)}`)
    .join('; ');
