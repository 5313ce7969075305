/** One fold of a cross-validation: `2/5` is the second of five. */

/** Which fold is the test set. */
export interface Fold {
  /** From 1. */
  number: number;
  /** Number of folds. */
  of: number;
}

/** The smallest and the largest number of folds. */
export const foldLimits = { min: 2, max: 20 };

/**
 * Reads a fold.
 * @returns undefined for an invalid one
 */
export function readFold(value: unknown): Fold | undefined {
  const text = typeof value === 'string' ? value : formatFold((value ?? {}) as Fold);
  const [, number, of] = /^\s*(\d+)\s*\/\s*(\d+)\s*$/.exec(text) ?? [];
  const fold = { number: Number(number), of: Number(of) };
  const isValid = fold.of >= foldLimits.min && fold.of <= foldLimits.max && fold.number >= 1 && fold.number <= fold.of;
  return isValid ? fold : undefined;
}

/** A fold as text. */
export const formatFold = ({ number, of }: Fold): string => `${number}/${of}`;
