/**
 * Column names: those of the first line. Of files without them: whether the first line is data, and which columns contain
 * the text and the label, as far as their values show it.
 */
import { labelText } from '../../settings/label-mapping.js';
import { isUsualName, type ChosenColumns } from '../columns.js';
import { groupBy } from '../group.js';

/** Words of letters. */
const words = (value: string): string[] => value.match(/\p{L}{2,}/gu) ?? [];

const isNumber = (value: string) => value.trim() !== '' && Number.isFinite(Number(value));

/** Words in a cell that no column name has. */
const maxWordsInName = 6;

/**
 * Whether the first line of a file contains column names rather than values.
 * @param first cells of the first line
 * @param rows some of the following rows
 */
export function isHeader(first: string[], rows: string[][]): boolean {
  if (first.some((cell) => isUsualName(cell))) return true;
  // A line of text is no name.
  if (first.length < 2) return false;
  if (first.some((cell) => isNumber(labelText(cell)) || words(cell).length > maxWordsInName)) return false;
  // A name is not repeated as a value of its column.
  return !first.some((cell, i) => cell.trim() !== '' && rows.some((row) => row[i]?.trim() === cell.trim()));
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

/** Columns that are shorter than the longest by this factor are not its equal. */
const clearlyShorter = 2;

/**
 * Finds the columns of the text and the label by their values.
 * @param columns names of the columns
 * @param rows some rows
 * @returns undefined if that is uncertain
 */
export function rolesOf(columns: string[], rows: string[][]): ChosenColumns | undefined {
  const all = columns.map((column, i) => {
    const values = rows.map((row) => row[i] ?? '');
    const counts = groupBy(values, labelText);
    const letters = values.map((value) => words(value).join('').length);
    return {
      column,
      isLabel:
        counts.size >= 2 &&
        counts.size <= Math.min(maxClasses, rows.length / 2) &&
        !values.some((v) => v.trim() === ''),
      isText: values.reduce((sum, value) => sum + words(value).length, 0) >= minWords * values.length,
      length: letters.reduce((a, b) => a + b, 0),
    };
  });
  const labels = all.filter(({ isLabel, isText }) => isLabel && !isText);
  const texts = all.filter(({ isText }) => isText).sort((a, b) => b.length - a.length);
  const [text, other] = texts.length > 0 ? texts : columns.length === 1 ? all : [];
  if (!text || labels.length > 1) return undefined;
  const labelColumn = labels[0]?.column;
  // Label, title and text: the layout of Zhang et al.'s data sets.
  if (columns.length === 3 && labelColumn !== undefined) {
    const [first, second] = columns.filter((column) => column !== labelColumn);
    if (text.column === second) return { textColumns: [first!, second], labelColumn };
  }
  if (other && clearlyShorter * other.length > text.length) return undefined;
  return { textColumns: [text.column], labelColumn };
}
