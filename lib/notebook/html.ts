/** Tables and text in cells. */
import type { DataFrame } from 'danfojs-node';
import { colours } from '../figures/figure.js';
import type { Attribution } from '../evaluation/attribution.js';
import { escapeHtml, tableBundle, type TableRow } from '../figures/html-table.js';
import { show } from './kernel.js';

/** Shows rows, or a danfo DataFrame, as a table. */
export const showTable = (table: TableRow[] | DataFrame): void => show(tableBundle(table));

/** Shows the pieces a text is cut into, with their ids; pieces of one word share a colour. */
export function showTokens(tokens: string[], ids: ArrayLike<number>): void {
  let word = 0;
  const pieces = tokens.map((token, i) => {
    if (!token.startsWith('##')) word++;
    const colour = token.startsWith('[') ? '#e6e6e6' : word % 2 ? '#cfe3f1' : '#fbe0cc';
    return (
      `<span style="display:inline-block;margin:2px;padding:2px 6px;border-radius:4px;background:${colour};color:#222;` +
      `text-align:center">${escapeHtml(token)}<br><small style="color:#666">${ids[i]}</small></span>`
    );
  });
  show({
    'text/html': `<div>${pieces.join('')}</div>`,
    'text/plain': tokens.map((t, i) => `${t} ${ids[i]}`).join(', '),
  });
}

/** A sentence that must not be overlooked, in a box; orange where it says that something is not as one may expect. */
export function showBanner(text: string, warning = false): void {
  const [edge, ground] = warning ? [colours.orange, '#fdf0e6'] : [colours.blue, '#e8f2f8'];
  show({
    'text/html': `<div style="border-left:4px solid ${edge};background:${ground};color:#222;padding:8px 12px">${escapeHtml(text)}</div>`,
    'text/plain': text,
  });
}

/** How dark a word's ground is at most. */
const darkest = 0.75;

/** Shows texts with the ground of each word coloured by its pull: blue for the last class, orange for the first. */
export function showAttributions(attributions: Attribution[]): void {
  const strongest = Math.max(...attributions.flatMap(({ words }) => words.map(({ pull }) => Math.abs(pull))), 1e-9);
  const coloured = ({ word, pull }: Attribution['words'][number]) => {
    const strength = (darkest * Math.abs(pull)) / strongest;
    const ground = pull > 0 ? `rgba(0,114,178,${strength.toFixed(2)})` : `rgba(213,94,0,${strength.toFixed(2)})`;
    return `<span title="${pull.toFixed(2)}" style="background:${ground};padding:1px 3px;border-radius:3px">${escapeHtml(word)}</span>`;
  };
  const rows = attributions.map(
    ({ label, score, words }) =>
      `<tr><td style="text-align:left">${words.map(coloured).join(' ')}</td><td style="text-align:left">${escapeHtml(label)}</td>` +
      `<td style="text-align:right">${score.toFixed(3)}</td></tr>`,
  );
  show({
    'text/html':
      '<table><thead><tr><th style="text-align:left">what each word did</th><th style="text-align:left">verdict</th><th>probability</th></tr></thead>' +
      `<tbody>${rows.join('')}</tbody></table>`,
    'text/plain': attributions
      .map(
        ({ label, score, words }) =>
          `${label} ${score.toFixed(3)}: ${words.map(({ word, pull }) => `${word} (${pull.toFixed(2)})`).join(' ')}`,
      )
      .join('\n'),
  });
}
