/** Tables and text as cell outputs. */
import type { DataFrame } from 'danfojs-node';
import { colors } from '../figures/figure.js';
import type { Attribution } from '../evaluation/attribution.js';
import type { Warning } from '../evaluation/warnings.js';
import type { Journal } from '../runs/journal.js';
import { escapeHtml, tableBundle, type TableRow } from '../figures/html-table.js';
import { show } from './kernel.js';

/**
 * Shows rows, or a danfo DataFrame, as a table.
 * @example
 * showTable([{ model: 'bag of words', accuracy: 0.8 }]);
 */
export const showTable = (table: TableRow[] | DataFrame): void => show(tableBundle(table));

/**
 * Shows the tokens of a text with their ids. Tokens of the same word have the same color.
 * @example
 * const text = 'The item came damanged.';
 * showTokens(model.tokenizer.tokens(text), model.tokenizer.encode(text));
 */
export function showTokens(tokens: string[], ids: ArrayLike<number>): void {
  let word = 0;
  const pieces = tokens.map((token, i) => {
    if (!token.startsWith('##')) word++;
    const color = token.startsWith('[') ? '#e6e6e6' : word % 2 ? '#cfe3f1' : '#fbe0cc';
    return (
      `<span style="display:inline-block;margin:2px;padding:2px 6px;border-radius:4px;background:${color};color:#222;` +
      `text-align:center">${escapeHtml(token)}<br><small style="color:#666">${ids[i]}</small></span>`
    );
  });
  show({
    'text/html': `<div>${pieces.join('')}</div>`,
    'text/plain': tokens.map((t, i) => `${t} ${ids[i]}`).join(', '),
  });
}

/**
 * Shows a text in a box.
 * @param warning makes the box orange instead of blue
 * @example
 * showBanner('The hub does not respond; the embedded reviews are used.', true);
 */
export function showBanner(text: string, warning = false): void {
  const [border, background] = warning ? [colors.orange, '#fdf0e6'] : [colors.blue, '#e8f2f8'];
  show({
    'text/html': `<div style="border-left:4px solid ${border};background:${background};color:#222;padding:8px 12px">${escapeHtml(text)}</div>`,
    'text/plain': text,
  });
}

/**
 * Shows warnings in orange boxes.
 * @param warnings of imbalanceWarnings or evaluationWarnings
 * @param journal records them too, for `npm start`. @default none
 * @example
 * showWarnings(imbalanceWarnings(reviews.train, reviews.labels, readSettings()));
 */
export function showWarnings(warnings: Warning[], journal?: Journal): void {
  for (const warning of warnings) {
    showBanner(warning.message, true);
    journal?.write('warning', warning);
  }
}

/** Maximum opacity of a word's background. */
const maxOpacity = 0.75;

/**
 * Shows texts with word attributions as background colors: of two classes, blue for the second and orange for the first; of
 * more classes, blue for the predicted class and orange for the others.
 * @example
 * showAttributions([wordAttribution(model, 'It stopped working.')]);
 */
export function showAttributions(attributions: Attribution[]): void {
  const strongest = Math.max(
    ...attributions.flatMap(({ words }) => words.map(({ contribution }) => Math.abs(contribution))),
    1e-9,
  );
  const highlight = ({ word, contribution }: Attribution['words'][number]) => {
    const opacity = (maxOpacity * Math.abs(contribution)) / strongest;
    const background =
      contribution > 0 ? `rgba(0,114,178,${opacity.toFixed(2)})` : `rgba(213,94,0,${opacity.toFixed(2)})`;
    return `<span title="${contribution.toFixed(2)}" style="background:${background};padding:1px 3px;border-radius:3px">${escapeHtml(word)}</span>`;
  };
  const rows = attributions.map(
    ({ label, score, words }) =>
      `<tr><td style="text-align:left">${words.map(highlight).join(' ')}</td><td style="text-align:left">${escapeHtml(label)}</td>` +
      `<td style="text-align:right">${score.toFixed(3)}</td></tr>`,
  );
  show({
    'text/html':
      '<table><thead><tr><th style="text-align:left">word attributions</th><th style="text-align:left">prediction</th><th>probability</th></tr></thead>' +
      `<tbody>${rows.join('')}</tbody></table>`,
    'text/plain': attributions
      .map(
        ({ label, score, words }) =>
          `${label} ${score.toFixed(3)}: ${words.map(({ word, contribution }) => `${word} (${contribution.toFixed(2)})`).join(' ')}`,
      )
      .join('\n'),
  });
}
