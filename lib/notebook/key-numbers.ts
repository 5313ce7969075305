/**
 * Key numbers of a notebook: a table for readers, and a machine-readable output from which `tunebook notebooks` checks
 * that another run reproduces the committed numbers within the tolerances that the notebook states.
 */
import { ArgumentError } from '../errors.js';
import { tableBundle } from '../figures/html-table.js';
import { show } from './kernel.js';

/** MIME type of the key numbers in a notebook's outputs. */
export const keyNumbersType = 'application/vnd.tunebook.key-numbers+json';

/** A key number and its tolerance. */
export interface KeyNumber {
  name: string;
  /** null if the number is undefined for these reviews, such as the ROC AUC of a class without reviews. */
  value: number | null;
  /** Maximum difference from the committed value. */
  tolerance: number;
  /** Tolerance with --fast-dev-run, which uses fewer reviews. @default the number is not compared there */
  quickTolerance?: number;
}

const formatNumber = (value: number | null) =>
  value === null
    ? 'undefined'
    : Number.isInteger(value)
      ? String(value)
      : Math.abs(value) >= 100
        ? value.toFixed(0)
        : value.toPrecision(3);

/**
 * Shows key numbers with their tolerances. A number that is undefined in one run and defined in another counts as a
 * difference.
 * @throws ArgumentError for NaN or an infinite number, or a name that occurs twice
 * @example
 * showKeyNumbers([{ name: 'held-out accuracy', value: metrics.accuracy, tolerance: 0.02 }]);
 */
export function showKeyNumbers(numbers: KeyNumber[]): void {
  for (const { name, value } of numbers)
    if (value !== null && !Number.isFinite(value))
      throw new ArgumentError(
        'ARGUMENT_KEY_NUMBER_INVALID',
        `The key number '${name}' must be finite, or null if it is undefined; it is ${value}.`,
        {
          name,
          value,
        },
      );
  if (new Set(numbers.map(({ name }) => name)).size < numbers.length)
    throw new ArgumentError('ARGUMENT_KEY_NUMBER_REPEATED', 'Two key numbers have the same name.');
  show({
    [keyNumbersType]: { numbers },
    ...tableBundle(
      numbers.map(({ name, value, tolerance }) => ({
        'key number': name,
        value: formatNumber(value),
        tolerance: formatNumber(tolerance),
      })),
    ),
  });
}
