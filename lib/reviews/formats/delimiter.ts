/**
 * Detection of the dialect of delimited text: the delimiter with which most lines of the beginning have the same number
 * of columns, and whether quotes enclose values. Tab-separated files often have no such quotes (as in GLUE).
 */
import Papa from 'papaparse';
import { isUsualName } from '../columns.js';

/** How lines are divided into values. */
export interface Dialect {
  /** A character that no line contains if there is only one column. */
  delimiter: string;
  /** Whether quotes enclose values that contain delimiters or newlines. */
  quotes: boolean;
}

/** The delimiter of files with one column. */
export const noDelimiter = '\u001f';

/** Parses text. @param isEnd whether the text ends with a complete row */
export function parseRows(
  text: string,
  { delimiter, quotes }: Dialect,
  isEnd: boolean,
): { rows: string[][]; quoteErrors: number[]; end: number } {
  const parser = new Papa.Parser({ delimiter, newline: '\n', ...(!quotes && { fastMode: true }) });
  const { data, errors, meta } = parser.parse(text, 0, !isEnd) as Papa.ParseResult<string[]>;
  return { rows: data, quoteErrors: errors.map(({ row }) => row!), end: isEnd ? text.length : meta.cursor };
}

/** Whether a row is an empty line. */
export const isEmptyRow = (row: string[]): boolean => row.length === 1 && row[0]!.trim() === '';

const candidates: Dialect[] = [',', '\t', ';', '|'].flatMap((delimiter) => [
  { delimiter, quotes: true },
  // Without quotes only tabs are unlikely within a text.
  ...(delimiter === '\t' ? [{ delimiter, quotes: false }] : []),
]);

/** Minimum fraction of the rows that must have the same number of columns. */
const minConsistency = 0.7;

/** A value with quotes around it and doubled quotes inside, which show that quotes enclose values. */
const quotedCell = /^"[^"]*""(?:[^"]|"")*"$/;

/** The number of columns that most rows have, and the number of these rows. */
export function mostFrequentLength(rows: string[][]): { length: number; count: number } {
  const counts = new Map<number, number>();
  for (const { length } of rows) counts.set(length, (counts.get(length) ?? 0) + 1);
  const [length, count] = [...counts].reduce((best, each) => (each[1] > best[1] ? each : best), [0, 0]);
  return { length, count };
}

/** Fraction of rows with the most frequent number of columns; 0 if that is one column. */
function consistency(text: string, isWhole: boolean, dialect: Dialect): number {
  const { rows, quoteErrors } = parseRows(text, dialect, isWhole);
  const filled = rows.filter((row) => !isEmptyRow(row));
  const { length: columns, count } = mostFrequentLength(filled);
  if (columns < 2) return 0;
  if (!dialect.quotes && filled.some((row) => row.some((cell) => quotedCell.test(cell)))) return 0;
  const score = (count - new Set(quoteErrors).size) / filled.length;
  const header = filled[0]!.length === columns && filled[0]!.some((cell) => isUsualName(cell)) ? 1 : 0;
  return score < minConsistency && !header ? 0 : score + header;
}

/**
 * Detects the dialect.
 * @param text the beginning of a file, with LF as newline
 * @param isWhole whether it is the whole file
 * @param isTable whether the name of the file promises a table, so that a single column may be quoted
 */
export function detectDialect(text: string, isWhole: boolean, isTable: boolean): Dialect {
  let best: Dialect | undefined;
  let bestScore = 0;
  for (const dialect of candidates) {
    const score = consistency(text, isWhole, dialect);
    // Prose has commas too, as many in each of a few lines by chance.
    if (!isTable && dialect.delimiter !== '\t' && score < 1 + minConsistency) continue;
    // Quotes are the rule: without them a row must fit better.
    const total = score > 0 ? score + (dialect.quotes ? 1e-6 : 0) : 0;
    if (total > bestScore) [best, bestScore] = [dialect, total];
  }
  return best ?? { delimiter: noDelimiter, quotes: isTable };
}

/** Whether quotes enclose values in text with a known delimiter. */
export function detectQuotes(text: string, isWhole: boolean, delimiter: string): boolean {
  if (delimiter !== '\t') return true;
  const score = (quotes: boolean) => consistency(text, isWhole, { delimiter, quotes });
  return score(true) >= score(false);
}
