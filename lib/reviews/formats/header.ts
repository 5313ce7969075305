/**
 * Column names: those of the first line. Of files without them: whether the first line is data, and which columns contain
 * the text and the label, as far as their values show it.
 */
import { labelText } from '../../settings/label-mapping.js';
import { findColumn, isUsualName, type Roles } from '../columns.js';
import { groupBy } from '../group.js';
import { maxLinesAbove, mostFrequentLength } from './delimiter.js';

/** Words of letters. */
const words = (value: string): string[] => value.match(/\p{L}{2,}/gu) ?? [];

const isNumber = (value: string) => value.trim() !== '' && Number.isFinite(Number(value));

/** Words in a cell that no column name has. */
const maxWordsInName = 6;

/** Whether names are the numbers from 0, as pandas writes them for columns without names, also after its index. */
export function isNumbering(names: string[]): boolean {
  const numbers = names[0]?.trim() === '' ? names.slice(1) : names;
  return numbers.length > 1 && numbers.every((name, i) => name.trim() === String(i));
}

/**
 * Whether the first line of a file contains column names rather than values.
 * @param first cells of the first line
 * @param rows some of the following rows
 * @param named columns that the user names
 */
function isHeader(first: string[], rows: string[][], named: string[]): boolean {
  if (named.some((name) => findColumn(first, name) !== undefined)) return true;
  // A name is not repeated as a value of its column, unless the whole header is.
  const others = rows.filter((row) => row.some((cell, i) => cell.trim() !== first[i]?.trim()));
  const isRepeated = first.map((cell, i) => cell.trim() !== '' && others.some((row) => row[i]?.trim() === cell.trim()));
  if (first.some((cell, i) => isUsualName(cell) && !isRepeated[i]) || isNumbering(first)) return true;
  // A line of text is no name.
  if (first.length < 2) return false;
  if (first.some((cell) => isNumber(labelText(cell)) || words(cell).length > maxWordsInName)) return false;
  return !isRepeated.includes(true);
}

/**
 * Counts the lines above the header that belong to no table: those before a line of two usual or named columns, or those of
 * at most one value before a line with one.
 * @param rows the first rows of a file
 * @param named columns that the user names
 */
function linesAboveHeader(rows: string[][], named: string[]): number {
  const isName = (cell: string) => isUsualName(cell) || named.some((name) => findColumn([cell], name) !== undefined);
  const names = (row: string[]) => row.filter(isName).length;
  const filled = (row: string[]) => row.filter((cell) => cell.trim() !== '').length;
  const width = mostFrequentLength(rows).length;
  const first = rows.slice(0, maxLinesAbove + 1);
  const certain = first.findIndex((row) => row.length === width && names(row) > 1);
  if (certain >= 0) return certain;
  const at = first.findIndex((row) => filled(row) > 1);
  const isTable = at > 0 && rows[at]!.length === width;
  return isTable && first.slice(0, at).every((row) => names(row) < names(rows[at]!)) ? at : 0;
}

/** The header of a table. */
interface Header {
  /** Number of lines above it that belong to no table. */
  above: number;
  /** The cells of the first line of the table, which are names if `hasHeader`, otherwise values. */
  first: string[];
  hasHeader: boolean;
  /** The rows of values among the first rows. */
  values: string[][];
}

/**
 * Finds the header of delimited text or a sheet.
 * @param rows the first rows of a file
 * @param header whether there is one. @default detected
 * @param named columns that the user names
 */
export function findHeader(rows: string[][], header: boolean | 'auto' = 'auto', named: string[]): Header {
  const above = header === false ? 0 : linesAboveHeader(rows, named);
  const table = rows.slice(above);
  const [first = [], ...rest] = table;
  const hasHeader = header === 'auto' ? isHeader(first, rest, named) : header;
  return { above, first, hasHeader, values: hasHeader ? rest : table };
}

/** Column names without surrounding spaces and quotes. Empty and repeated names get the number of their column. */
export function columnNames(cells: string[]): string[] {
  const seen = new Set<string>();
  return cells.map((cell, i) => {
    const name =
      cell
        .trim()
        .replace(/^(["'])(.*)\1$/s, '$2')
        .trim() || `column ${i + 1}`;
    const unique = seen.has(name) ? `${name} (column ${i + 1})` : name;
    seen.add(unique);
    return unique;
  });
}

/** Maximum number of classes that are recognized by their values. */
const maxClasses = 20;

/** Minimum number of words, on average, in a column of texts. */
const minWords = 3;

/** An address or a code: characters of ASCII without a space. */
const isCode = /^[\x21-\x7E]*$/;

/** Minimum number of words, on average, in a column of titles: a code or the name of a user is one word. */
const minTitleWords = 1.5;

/** Maximum fraction of the parts of a title that contain digits: dates have more. */
const maxDigits = 0.4;

/** Columns that are shorter than the longest by this factor are not its equal. */
const clearlyShorter = 2;

/**
 * Finds the columns of the text and the label by their values.
 * @param columns names of the columns
 * @param rows some rows
 */
export function rolesOf(columns: string[], rows: string[][]): Roles {
  const all = columns.map((column, i) => {
    const values = rows.map((row) => row[i] ?? '');
    const counts = groupBy(values, labelText);
    const sum = (count: (value: string) => number) => values.reduce((total, value) => total + count(value), 0);
    const parts = values.flatMap((value) => value.split(/\s+/));
    const withDigits = parts.filter((part) => /\p{N}/u.test(part)).length;
    return {
      column,
      isLabel:
        counts.size >= 2 &&
        counts.size <= Math.min(maxClasses, rows.length / 2) &&
        !values.some((v) => v.trim() === ''),
      isText: sum((value) => (isCode.test(value) ? 0 : words(value).length)) >= minWords * values.length,
      isTitle: parts.length - withDigits >= minTitleWords * values.length && withDigits <= maxDigits * parts.length,
      length: sum((value) => words(value).join('').length),
    };
  });
  const likely = all.filter(({ isText }) => isText).sort((a, b) => b.length - a.length);
  const [text, other] = likely.length > 0 ? likely : columns.length === 1 ? all : [];
  const labels = all.filter((each) => each.isLabel && !each.isText && each !== text).map(({ column }) => column);
  if (!text) return { texts: [], labels };
  // Label, title and text: the layout of Zhang et al.'s data sets.
  if (columns.length === 3 && labels.length === 1) {
    const [first, second] = all.filter(({ column }) => column !== labels[0]);
    if (text === second && first!.isTitle) return { texts: [[first!.column, second.column]], labels };
  }
  const equals = likely.filter(({ length }) => clearlyShorter * length > text.length);
  return { texts: other && equals.length > 1 ? equals.map(({ column }) => [column]) : [[text.column]], labels };
}
