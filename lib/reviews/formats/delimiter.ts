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
  /** Whether quotes within values are written \\" rather than "", as Spark and MySQL do. @default false */
  backslashes?: boolean;
}

/** The delimiter of files with one column. */
export const noDelimiter = '\u001f';

/** Parses text. @param isEnd whether the text ends with a complete row */
export function parseRows(
  text: string,
  { delimiter, quotes, backslashes }: Dialect,
  isEnd: boolean,
): { rows: string[][]; quoteErrors: number[]; end: number } {
  const parser = new Papa.Parser({
    delimiter,
    newline: '\n',
    ...(!quotes && { fastMode: true }),
    ...(backslashes && { escapeChar: '\\' }),
  });
  const { data, errors, meta } = parser.parse(text, 0, !isEnd) as Papa.ParseResult<string[]>;
  return { rows: data, quoteErrors: errors.map(({ row }) => row!), end: isEnd ? text.length : meta.cursor };
}

/** Whether a row is an empty line. */
export const isEmptyRow = (row: string[]): boolean => row.length === 1 && row[0]!.trim() === '';

/** The dialects that a text may have with a delimiter, the usual one first. */
const dialectsWith = (text: string, delimiter: string): Dialect[] => [
  { delimiter, quotes: true },
  ...(text.includes('\\"') ? [{ delimiter, quotes: true, backslashes: true }] : []),
  // Without quotes only tabs are unlikely within a text.
  ...(delimiter === '\t' ? [{ delimiter, quotes: false }] : []),
];

/** Delimiters; one with a space only between quotes: `"text", "label"`. */
const delimitersIn = (text: string): string[] => [
  ...[',', '\t', ';', '|'],
  ...[', ', '; '].filter((delimiter) => text.includes(`"${delimiter}"`)),
];

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

/** Lines above a header at most, which are a title, a date or comments. */
export const maxLinesAbove = 10;

/** Fraction of values that begin with a space, above which a delimiter is probably punctuation. */
const maxSpaces = 0.5;

/** How well a dialect fits: the fraction of rows with the most frequent number of columns, and 1 more for a header. */
function fitOf(
  text: string,
  { isWhole, isTable }: { isWhole: boolean; isTable: boolean },
  dialect: Dialect,
): { score: number; isPunctuation: boolean } {
  const none = { score: 0, isPunctuation: false };
  const { rows, quoteErrors } = parseRows(text, dialect, isWhole);
  const filled = rows.filter((row) => !isEmptyRow(row));
  const { length: columns, count } = mostFrequentLength(filled);
  if (columns < 2) return none;
  if (!dialect.quotes && filled.some((row) => row.some((cell) => quotedCell.test(cell)))) return none;
  const header = filled.slice(0, maxLinesAbove + 1).find((row) => row.length === columns) ?? [];
  const names = header.filter((cell) => isUsualName(cell)).length;
  const later = filled.flatMap((row) => row.slice(1));
  const isPunctuation = later.filter((cell) => /^ /.test(cell)).length > maxSpaces * later.length;
  // One usual name at the beginning of a line may be prose: `Overall, a good phone`.
  const isHeader = names >= (isTable || !isPunctuation ? 1 : 2);
  const lines = filled.length - (isHeader ? filled.indexOf(header) : 0);
  const score = (count - new Set(quoteErrors).size) / lines;
  return { score: isHeader ? score + 1 : score < minConsistency ? 0 : score, isPunctuation };
}

/** What is subtracted and added so that, of dialects that fit equally, the usual one is chosen. */
const preferences = { punctuation: 0.1, extension: 0.1, rare: 1e-6 };

/**
 * Detects the dialect.
 * @param text the beginning of a file, with LF as newline
 * @param options what is known of the file
 * @param options.isWhole whether the text is the whole file
 * @param options.isTable whether the name of the file promises a table, so that a single column may be quoted
 * @param options.expected the delimiter that the name of the file promises. @default none
 * @param options.delimiter the delimiter, if it is known. @default detected
 */
export function detectDialect(
  text: string,
  options: { isWhole: boolean; isTable: boolean; expected?: string | undefined; delimiter?: string | undefined },
): Dialect {
  const { isTable, expected, delimiter: known } = options;
  let best: Dialect | undefined;
  let bestScore = 0;
  for (const delimiter of known === undefined ? delimitersIn(text) : [known])
    for (const [i, dialect] of dialectsWith(text, delimiter).entries()) {
      const { score, isPunctuation } = fitOf(text, options, dialect);
      if (score === 0) continue;
      // Prose has commas and semicolons too, as many in each of a few lines by chance.
      if (known === undefined && !isTable && !['\t', '|'].includes(delimiter) && score < 1 + minConsistency) continue;
      const total =
        score -
        (isPunctuation ? preferences.punctuation : 0) +
        (delimiter === expected ? preferences.extension : 0) -
        i * preferences.rare;
      if (total > bestScore) [best, bestScore] = [dialect, total];
    }
  return best ?? { delimiter: known ?? noDelimiter, quotes: known !== undefined || isTable };
}
