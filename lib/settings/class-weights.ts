/** How much each class counts in the training loss: `balanced`, or `negative=1,positive=2`, or the same as a map. */
import { SettingsError } from '../errors.js';

/** None, balanced by the number of training rows of each class, or weights by class name; other classes have the weight 1. */
export type ClassWeights = 'none' | 'balanced' | Record<string, number>;

/** Larger weights make the loss overflow or vanish. */
const maxWeight = 10_000;

const invalid = (what: string, values: Record<string, unknown>) => new SettingsError('SETTING_INVALID', what, values);

/** Weights as names and values. The last `=` separates them, since a class name may contain one. */
function entriesOf(text: string): [string, unknown][] {
  return text.split(',').map((part) => {
    const [, name, weight] = /^\s*(.+?)\s*=\s*([^=\s]+)\s*$/.exec(part) ?? [];
    if (!name) throw invalid(`'${part.trim()}' is not a class with its weight.`, { part: part.trim() });
    return [name, weight];
  });
}

/**
 * Reads class weights.
 * @returns undefined for a value of another type; weights in the order of their names, so that equal ones have equal JSON
 * @throws SettingsError for a class without a weight, a class that occurs twice, or a weight that is not a number above 0
 */
export function readClassWeights(value: unknown): ClassWeights | undefined {
  if (value === 'none' || value === 'balanced') return value;
  const isText = typeof value === 'string' && value.includes('=');
  if (!isText && (typeof value !== 'object' || value === null || Array.isArray(value))) return undefined;
  const entries = isText ? entriesOf(value) : Object.entries(value);
  if (entries.length === 0) return undefined;
  const weights = new Map<string, number>();
  for (const [name, given] of entries) {
    const weight = typeof given === 'string' || typeof given === 'number' ? Number(given) : NaN;
    if (weights.has(name)) throw invalid(`The class '${name}' occurs twice.`, { class: name });
    if (!(weight >= 1 / maxWeight && weight <= maxWeight))
      throw invalid(
        `The weight of '${name}' is '${String(given)}'; a weight is a number from ${1 / maxWeight} to ${maxWeight}.`,
        { class: name },
      );
    weights.set(name, weight);
  }
  return Object.fromEntries([...weights].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Class weights as text. */
export const formatClassWeights = (weights: ClassWeights): string =>
  typeof weights === 'string'
    ? weights
    : Object.entries(weights)
        .map(([name, weight]) => `${name}=${weight}`)
        .join(',');

/**
 * Splits several values, for a sweep: `none,balanced,a=1,b=2,b=4` is none, balanced, `a=1,b=2` and `b=4`. A class that
 * occurs again begins the next value.
 */
export function splitClassWeights(text: string): string[] {
  const values: string[][] = [];
  const names = new Set<string>();
  for (const part of text.split(',').map((each) => each.trim())) {
    const name = part.replace(/\s*=[^=]*$/, '');
    const continues = part.includes('=') && names.size > 0 && !names.has(name);
    if (continues) values.at(-1)!.push(part);
    else {
      values.push([part]);
      names.clear();
    }
    if (part.includes('=')) names.add(name);
  }
  return values.map((parts) => parts.join(','));
}
