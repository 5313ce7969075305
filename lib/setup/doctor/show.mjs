// Formats findings for a terminal: one line per check, its remedy below, and a list of all remedies at the end.
// @ts-check
import { setUp } from './remedies.mjs';

/** @typedef {import('./finding.mjs').Finding} Finding */

const symbols = { ok: '✓', warning: '!', failed: '✗', skipped: '–' };
const colors = { ok: 32, warning: 33, failed: 31, skipped: 2 };

const useColors = () => Boolean(process.stdout.isTTY) && !process.env['NO_COLOR'];

/** @param {string} text @param {number} code */
const paint = (text, code) => (useColors() ? `\x1b[${code}m${text}\x1b[0m` : text);

/**
 * Formats a finding and its remedy.
 * @param {string} name
 * @param {Finding} finding
 * @param {number} width of the longest name
 */
export function lineOf(name, { status, found, remedy }, width) {
  const text = `${name.padEnd(width)}  ${found}`;
  const line = `${paint(symbols[status], colors[status])} ${status === 'skipped' ? paint(text, colors.skipped) : text}`;
  return remedy ? `${line}\n${' '.repeat(width + 4)}→ ${remedy}` : line;
}

/** @typedef {{ name: string, remedy: string }} NamedRemedy */

/** Formats the summary: all remedies, or the number of warnings. @param {({ name: string } & Finding)[]} findings */
export function summarize(findings) {
  const remedies = mergeSetUp(
    findings.flatMap(({ name, status, remedy }) => (status === 'failed' && remedy ? [{ name, remedy }] : [])),
  );
  if (remedies.length === 1) return `1 remedy to apply: ${remedies[0]?.remedy}`;
  if (remedies.length > 1)
    return [
      `${remedies.length} remedies to apply, in this order:`,
      ...remedies.map(({ name, remedy }, i) => `  ${i + 1}. ${name}: ${remedy}`),
    ].join('\n');
  const warnings = findings.filter(({ status }) => status === 'warning').length;
  if (warnings === 0) return 'All checks passed.';
  return `No check failed; ${warnings === 1 ? '1 warning' : `${warnings} warnings`}, marked by !`;
}

/**
 * Combines remedies that run set-up into one: delete all broken files, then run set-up once.
 * @param {NamedRemedy[]} remedies
 */
function mergeSetUp(remedies) {
  const repaired = remedies.filter(({ remedy }) => remedy.endsWith(setUp));
  const [first] = repaired;
  if (!first || repaired.length === 1) return remedies;
  const deleted = repaired.flatMap(({ remedy }) => /^rm -r (.*) && /.exec(remedy)?.[1] ?? []);
  const remedy = deleted.length > 0 ? `rm -rf ${deleted.join(' ')} && ${setUp}` : setUp;
  const merged = { name: repaired.map(({ name }) => name).join(', '), remedy };
  return remedies.flatMap((each) => (each === first ? [merged] : repaired.includes(each) ? [] : [each]));
}
