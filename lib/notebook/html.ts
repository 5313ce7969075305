/** Tables and text in cells. Review text can hold anything, so all of it is escaped. */
import { show } from './kernel.js';

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as it stands in HTML. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!);

/** Shows rows as a table; the first row's keys are the columns. Numbers stand to the right. */
export function showTable(rows: Record<string, string | number>[]): void {
  const columns = Object.keys(rows[0] ?? {});
  const cell = (value: string | number | undefined) =>
    `<td style="text-align:${typeof value === 'number' ? 'right' : 'left'}">${escapeHtml(String(value ?? ''))}</td>`;
  const head = columns.map((column) => `<th style="text-align:left">${escapeHtml(column)}</th>`).join('');
  const body = rows.map((row) => `<tr>${columns.map((column) => cell(row[column])).join('')}</tr>`).join('');
  const widths = columns.map((column) =>
    Math.max(column.length, ...rows.map((row) => String(row[column] ?? '').length)),
  );
  const line = (values: string[]) =>
    values
      .map((value, i) => value.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  const plain = [line(columns), ...rows.map((row) => line(columns.map((column) => String(row[column] ?? ''))))].join(
    '\n',
  );
  show({ 'text/html': `<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`, 'text/plain': plain });
}
