/**
 * The figures that a notebook stands for, shown as a table and kept in a form that `tunebook notebooks` reads: who runs it
 * again sees whether it came out as it did for its authors, within what the notebook itself says may differ.
 */
import { ArgumentError } from '../errors.js';
import { tableBundle } from '../figures/html-table.js';
import { show } from './kernel.js';

/** The type under which the numbers stand in a notebook's outputs. */
export const keyNumbersType = 'application/vnd.tunebook.key-numbers+json';

/** One figure, and how far another run may be from it. */
export interface KeyNumber {
  name: string;
  /** NaN if the figure is undefined for these reviews, such as the ROC AUC of more than two classes. */
  value: number;
  /** The largest difference from the committed value that counts as the same. */
  tolerance: number;
  /** The same in the quick setting, which sees fewer reviews; left out, the figure is not compared there. */
  quickTolerance?: number;
}

const written = (value: number) =>
  Number.isNaN(value)
    ? 'undefined'
    : Number.isInteger(value)
      ? String(value)
      : Math.abs(value) >= 100
        ? value.toFixed(0)
        : value.toPrecision(3);

/**
 * Shows the figures, each with its tolerance. Undefined figures are shown as such and not kept: if the committed notebook has
 * them, comparing reports that they are missing.
 * @throws ArgumentError for an infinite figure, or a name that occurs twice
 */
export function showKeyNumbers(numbers: KeyNumber[]): void {
  for (const { name, value } of numbers)
    if (Math.abs(value) === Infinity)
      throw new ArgumentError('ARGUMENT_KEY_NUMBER_INVALID', `The key number '${name}' is ${value}.`, { name, value });
  if (new Set(numbers.map(({ name }) => name)).size < numbers.length)
    throw new ArgumentError('ARGUMENT_KEY_NUMBER_REPEATED', 'Two key numbers have the same name.');
  show({
    [keyNumbersType]: { numbers: numbers.filter(({ value }) => !Number.isNaN(value)) },
    ...tableBundle(
      numbers.map(({ name, value, tolerance }) => ({
        'key number': name,
        value: written(value),
        'may differ by': tolerance === 0 ? 'nothing' : written(tolerance),
      })),
    ),
  });
}
