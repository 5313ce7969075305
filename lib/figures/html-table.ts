/** Rows as an HTML table. Review text can hold anything, so all of it is escaped. */
import type { DataFrame } from 'danfojs-node';

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as it stands in HTML. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);

/** A row to be shown, by the columns' names. */
export type TableRow = Record<string, string | number>;

/** A DataFrame's rows, with its index where that is more than a count. */
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

/** Rows, or a danfo DataFrame, as a table; the first row's keys are the columns. Numbers stand to the right. */
export function tableBundle(table: TableRow[] | DataFrame): { 'text/html': string; 'text/plain': string } {
  const rows = Array.isArray(table) ? table : rowsOfFrame(table);
  const columns = Object.keys(rows[0] ?? {});
  const isNumber = (column: string) => rows.every((row) => typeof row[column] === 'number');
  const align = columns.map((column) => `style="text-align:${isNumber(column) ? 'right' : 'left'}"`);
  const head = columns.map((column, i) => `<th ${align[i]}>${escapeHtml(column)}</th>`).join('');
  const bodyOf = (row: TableRow) =>
    columns.map((column, i) => `<td ${align[i]}>${escapeHtml(String(row[column] ?? ''))}</td>`).join('');
  const body = rows.map((row) => `<tr>${bodyOf(row)}</tr>`).join('');
  const texts = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))];
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
