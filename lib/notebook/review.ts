/**
 * Comparison of the key numbers of an executed notebook with those of the committed one, and the maximum file size.
 * Reads notebooks as files and needs no kernel.
 */
import fs from 'node:fs';
import { keyNumbersType, type KeyNumber } from './key-numbers.js';

/** Maximum size of a notebook in the repository, in bytes. */
export const maxBytes = 1_000_000;

/** The result of comparing one key number. */
export interface ComparedNumber {
  name: string;
  /** Value in the committed notebook; missing if it has no number with this name. */
  committed?: number | null;
  /** Value in the executed notebook; missing if it has no number with this name. */
  actual?: number | null;
  /** Maximum difference that counts as the same. */
  tolerance?: number;
  /** `not compared`: the run used --fast-dev-run, for which the notebook states no tolerance of this number. */
  result: 'same' | 'differs' | 'missing' | 'not compared';
}

interface StoredCell {
  cell_type: string;
  outputs?: { output_type: string; data?: Record<string, unknown> }[];
}

/** Reads the key numbers in the outputs of a notebook. */
export function readKeyNumbers(file: string): KeyNumber[] {
  const { cells } = JSON.parse(fs.readFileSync(file, 'utf8')) as { cells: StoredCell[] };
  return cells
    .flatMap(({ outputs = [] }) => outputs)
    .flatMap(({ data }) => (data?.[keyNumbersType] as { numbers: KeyNumber[] } | undefined)?.numbers ?? []);
}

/**
 * Compares the key numbers of an executed notebook with the committed ones, within the tolerances of the executed one.
 * @param quick whether the notebook was executed with --fast-dev-run
 */
export function compareKeyNumbers(committed: KeyNumber[], actual: KeyNumber[], quick: boolean): ComparedNumber[] {
  const names = [...new Set([...committed, ...actual].map(({ name }) => name))];
  return names.map((name): ComparedNumber => {
    const before = committed.find((number) => number.name === name);
    const now = actual.find((number) => number.name === name);
    if (!before || !now)
      return {
        name,
        ...(before && { committed: before.value }),
        ...(now && { actual: now.value }),
        result: 'missing',
      };
    const tolerance = quick ? now.quickTolerance : now.tolerance;
    const both = { name, committed: before.value, actual: now.value };
    if (tolerance === undefined) return { ...both, result: 'not compared' };
    const isSame =
      now.value === null || before.value === null
        ? now.value === before.value
        : // Allows for rounding of binary fractions: 0.587 - 0.586 is slightly more than 0.001.
          Math.abs(now.value - before.value) <= tolerance * (1 + 1e-9) + 1e-12;
    return { ...both, tolerance, result: isSame ? 'same' : 'differs' };
  });
}

/** Describes a difference; undefined if there is none. */
export function describeDifference({ name, tolerance, result, ...values }: ComparedNumber): string | undefined {
  const [committed, actual] = [values.committed, values.actual].map((value) => (value === null ? 'undefined' : value));
  if (result === 'missing')
    return actual === undefined
      ? `${name}: committed as ${committed}, but missing in this run.`
      : `${name}: ${actual} in this run, but missing in the committed notebook. Add it with --update.`;
  if (result !== 'differs') return undefined;
  return `${name}: committed as ${committed}, now ${actual}; the tolerance is ${tolerance}.`;
}
