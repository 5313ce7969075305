/** The rule by which something gives the label away: a word, or the value of a column. */

/** A class that something gives away. */
export interface Giveaway {
  /** Class number. */
  label: number;
  /** Number of rows that it occurs in. */
  rows: number;
  /** Fraction of these rows that are of the class. */
  precision: number;
  /** Fraction of the rows of the class that it occurs in. */
  coverage: number;
  /** Mutual information with the label, in bits; 1 is the most for two classes of equal size. */
  information: number;
}

/** Minimum number of rows for a statement. */
const minRows = 20;

/** Maximum fraction of errors, relative to those of always predicting the class: 2.5 % for two classes of equal size. */
const maxErrors = 0.05;

/** Shannon entropy of a distribution, in bits. */
export function entropy(counts: number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count) => (count > 0 ? sum - (count / total) * Math.log2(count / total) : sum), 0);
}

/**
 * Decides whether something gives a class away: nearly all rows that it occurs in are of the class, far more than by
 * chance, and they are a substantial part of the class.
 * @param counts number of rows that it occurs in, by class
 * @param totals number of all rows, by class
 * @param minCoverage minimum fraction of the rows of the class
 */
export function giveawayOf(counts: number[], totals: number[], minCoverage: number): Giveaway | undefined {
  const rows = counts.reduce((sum, count) => sum + count, 0);
  if (rows < minRows) return undefined;
  const label = counts.indexOf(Math.max(...counts));
  const all = totals.reduce((sum, count) => sum + count, 0);
  const [precision, coverage] = [counts[label]! / rows, counts[label]! / totals[label]!];
  if (1 - precision > maxErrors * (1 - totals[label]! / all) || coverage < minCoverage) return undefined;
  // A class that all rows have cannot be given away.
  if (totals[label] === all) return undefined;
  const rest = totals.map((total, i) => total - counts[i]!);
  const conditional = (rows * entropy(counts) + (all - rows) * entropy(rest)) / all;
  return { label, rows, precision, coverage, information: entropy(totals) - conditional };
}
