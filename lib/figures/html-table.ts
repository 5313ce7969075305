/** HTML tables. All text is escaped, since review texts may contain markup. */
import type { DataFrame } from 'danfojs-node';

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Escapes text for HTML. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);

/** The values of a table row, by column name; null, as of a prediction without a class, is an empty cell. */
export type TableRow = Record<string, string | number | null>;

/** The rows of a DataFrame, with its index unless that is only a row number. */
function rowsOfFrame(frame: DataFrame): TableRow[] {
  const columns = frame.columns;
  const named = frame.index.some((name, i) => name !== i);
  const digits = (value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : (value as string | number);
  return (frame.values as unknown[][]).map((values, i) => ({
    ...(named ? { '': frame.index[i]! } : {}),
    ...Object.fromEntries(columns.map((column, j) => [column, digits(values[j])])),
  }));
}

/**
 * Formats rows, or a danfo DataFrame, as a table. The columns are the keys of the first row. Columns of numbers, and of `–`
 * for undefined ones, are right-aligned.
 */
export function tableBundle(table: TableRow[] | DataFrame): { 'text/html': string; 'text/plain': string } {
  const rows = Array.isArray(table) ? table : rowsOfFrame(table);
  if (rows.length === 0) return { 'text/html': '<p>no rows</p>', 'text/plain': 'no rows' };
  const columns = Object.keys(rows[0]!);
  const textOf = (row: TableRow, column: string) => String(row[column] ?? '');
  const isNumber = (column: string) =>
    rows.every((row) => /^(-?\d+(\.\d+)?(e[+-]?\d+)?|NaN|–)$/.test(textOf(row, column)));
  const align = columns.map((column) => `style="text-align:${isNumber(column) ? 'right' : 'left'}"`);
  const head = columns.map((column, i) => `<th ${align[i]}>${escapeHtml(column)}</th>`).join('');
  const bodyOf = (row: TableRow) =>
    columns.map((column, i) => `<td ${align[i]}>${escapeHtml(textOf(row, column))}</td>`).join('');
  const body = rows.map((row) => `<tr>${bodyOf(row)}</tr>`).join('');
  const texts = [columns, ...rows.map((row) => columns.map((column) => textOf(row, column)))];
  const widths = columns.map((_, i) => Math.max(...texts.map((text) => text[i]!.length)));
  const plain = texts.map((text) =>
    text
      .map((value, i) => value.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  return {
    'text/html': `<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`,
    'text/plain': plain.join('\n'),
  };
}
