/**
 * What a reviewer asks of a notebook that was run again: did it run, are its figures those that were committed, and is it of a
 * size that can be kept? Reads notebooks as files and knows no kernel.
 */
import fs from 'node:fs';
import { keyNumbersType, type KeyNumber } from './key-numbers.js';

/** An executed notebook larger than this does not belong into a repository. */
export const mostBytes = 1_000_000;

/** A figure that was compared, or could not be. */
export interface ComparedNumber {
  name: string;
  /** As committed; undefined where the committed notebook has none of that name. */
  committed?: number;
  /** As found; undefined where this run has none of that name. */
  found?: number;
  /** The largest difference that counts as the same. */
  tolerance?: number;
  /** `not compared`: the quick setting sees fewer reviews, and the notebook promises nothing of this figure there. */
  result: 'same' | 'differs' | 'missing' | 'not compared';
}

interface StoredCell {
  cell_type: string;
  outputs?: { output_type: string; data?: Record<string, unknown> }[];
}

/** The key numbers in a notebook's outputs. */
export function readKeyNumbers(file: string): KeyNumber[] {
  const { cells } = JSON.parse(fs.readFileSync(file, 'utf8')) as { cells: StoredCell[] };
  return cells
    .flatMap(({ outputs = [] }) => outputs)
    .flatMap(({ data }) => (data?.[keyNumbersType] as { numbers: KeyNumber[] } | undefined)?.numbers ?? []);
}

/**
 * Compares the figures of a run with the committed ones, in the tolerances that the run's notebook states.
 * @param quick whether the run was in the quick setting
 */
export function compareKeyNumbers(committed: KeyNumber[], found: KeyNumber[], quick: boolean): ComparedNumber[] {
  const names = [...new Set([...committed, ...found].map(({ name }) => name))];
  return names.map((name): ComparedNumber => {
    const before = committed.find((number) => number.name === name);
    const now = found.find((number) => number.name === name);
    if (!before || !now)
      return {
        name,
        ...(before && { committed: before.value }),
        ...(now && { found: now.value }),
        result: 'missing',
      };
    const tolerance = quick ? now.quickTolerance : now.tolerance;
    const both = { name, committed: before.value, found: now.value };
    if (tolerance === undefined) return { ...both, result: 'not compared' };
    // Decimals are not binary: 0.586 and 0.587 differ by a hair more than 0.001.
    const isSame = Math.abs(now.value - before.value) <= tolerance * (1 + 1e-9) + 1e-12;
    return { ...both, tolerance, result: isSame ? 'same' : 'differs' };
  });
}

/** A difference in words; undefined where there is none. */
export function describeDifference({ name, committed, found, tolerance, result }: ComparedNumber): string | undefined {
  if (result === 'missing')
    return found === undefined
      ? `${name}: committed as ${committed}, and not among the key numbers of this run.`
      : `${name}: ${found} in this run, and not among the committed key numbers. Run it with --update.`;
  if (result !== 'differs') return undefined;
  return `${name}: committed as ${committed}, now ${found}; it may differ by ${tolerance === 0 ? 'nothing' : tolerance}.`;
}
