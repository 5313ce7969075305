/** Which values of a label column belong to which class: `1,2 -> negative; 4,5 -> positive`, or the same as a map. */
import { ReviewsError } from '../errors.js';

/** Labels by class name. Classes are numbered in this order; rows with other labels are left out. */
export type LabelMapping = Record<string, string[]>;

/**
 * A label as text; empty for a value that cannot be a label, such as null or a list. Integers lose their decimals: pandas writes
 * the label 5 as 5.0 if any row of the column is empty.
 */
export function labelText(value: unknown): string {
  if (!['string', 'number', 'boolean', 'bigint'].includes(typeof value)) return '';
  const text = String(value).trim();
  return text === 'NaN' ? '' : text.replace(/^([+-]?\d+)\.0+$/, '$1');
}

const usage =
  "Write '1,2 -> negative; 4,5 -> positive', or in a settings file a map such as { negative: [1, 2], positive: [4, 5] } or { 1: negative, 5: positive }.";

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The parts of a mapping: labels, and their class. */
function partsOf(mapping: unknown, invalid: (what: string, values: object) => ReviewsError): [string[], string][] {
  if (typeof mapping === 'string')
    return mapping
      .split(';')
      .filter((part) => part.trim() !== '')
      .map((part) => {
        const [, labels, name] = /^\s*(.+?)\s*->\s*(.+?)\s*$/.exec(part) ?? [];
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

/**
 * Reads a label mapping.
 * @param mapping text; a map from class to labels; or a map from label to class
 * @throws ReviewsError if it cannot be read, contains a label twice, or has fewer than two classes
 */
export function readLabelMapping(mapping: unknown): LabelMapping {
  const shown = typeof mapping === 'string' ? mapping : JSON.stringify(mapping);
  const invalid = (what: string, values: object) =>
    new ReviewsError('LABEL_MAPPING_INVALID', `The label mapping '${shown}' ${what}. ${usage}`, {
      mapping,
      ...values,
    });
  const classes: LabelMapping = {};
  const seen = new Set<string>();
  for (const [labels, name] of partsOf(mapping, invalid))
    for (const label of labels.map(labelText)) {
      if (seen.has(label)) throw invalid(`contains ${label} twice`, { label });
      seen.add(label);
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
