// What was found, for people: a line a check, the remedy below it, and at the end what to do, in its order.
// @ts-check
import { setUp } from './remedies.mjs';

/** @typedef {import('./finding.mjs').Finding} Finding */

const signs = { ok: '✓', warning: '!', failed: '✗', skipped: '–' };
const colours = { ok: 32, warning: 33, failed: 31, skipped: 2 };

const coloured = () => Boolean(process.stdout.isTTY) && !process.env['NO_COLOR'];

/** @param {string} text @param {number} code */
const paint = (text, code) => (coloured() ? `\x1b[${code}m${text}\x1b[0m` : text);

/**
 * @param {string} name
 * @param {Finding} finding
 * @param {number} width of the longest name
 */
export function lineOf(name, { status, found, remedy }, width) {
  const text = `${name.padEnd(width)}  ${found}`;
  const line = `${paint(signs[status], colours[status])} ${status === 'skipped' ? paint(text, colours.skipped) : text}`;
  return remedy ? `${line}\n${' '.repeat(width + 4)}→ ${remedy}` : line;
}

/** @typedef {{ name: string, remedy: string }} Todo */

/** @param {({ name: string } & Finding)[]} findings */
export function closing(findings) {
  const todo = withSetUpOnce(
    findings.flatMap(({ name, status, remedy }) => (status === 'failed' && remedy ? [{ name, remedy }] : [])),
  );
  if (todo.length === 1) return `1 thing to do: ${todo[0]?.remedy}`;
  if (todo.length > 1)
    return [
      `${todo.length} things to do, in this order:`,
      ...todo.map(({ name, remedy }, i) => `  ${i + 1}. ${name}: ${remedy}`),
    ].join('\n');
  const advice = findings.filter(({ status }) => status === 'warning').length;
  if (advice === 0) return 'Everything is in order.';
  return `It works, with ${advice === 1 ? 'one thing' : `${advice} things`} to look at, marked by !`;
}

/** Set-up is run once for all that it repairs, after all that is to be deleted before it. @param {Todo[]} todo */
function withSetUpOnce(todo) {
  const repaired = todo.filter(({ remedy }) => remedy.endsWith(setUp));
  const [first] = repaired;
  if (!first || repaired.length === 1) return todo;
  const deleted = repaired.flatMap(({ remedy }) => /^rm -r (.*) && /.exec(remedy)?.[1] ?? []);
  const remedy = deleted.length > 0 ? `rm -rf ${deleted.join(' ')} && ${setUp}` : setUp;
  const all = { name: repaired.map(({ name }) => name).join(', '), remedy };
  return todo.flatMap((each) => (each === first ? [all] : repaired.includes(each) ? [] : [each]));
}
