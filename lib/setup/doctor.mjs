// `npx tunebook doctor` and `npm run doctor`: checks everything that Tunebook depends on and prints a remedy for each
// problem. It must work where set-up fails, so it is plain JavaScript that unsupported old versions of Node can also
// run. It installs, changes and deletes nothing.
//   node lib/setup/doctor.mjs [--json] [CHECK...]
// @ts-check
import { setUp, start, withDependencies } from './doctor/check.mjs';
import { gpuCheck } from './doctor/gpu.mjs';
import { installationChecks } from './doctor/installation.mjs';
import { machineChecks } from './doctor/machine.mjs';
import { serviceChecks } from './doctor/services.mjs';
import { isCheckout } from './paths.mjs';

/** @typedef {import('./doctor/check.mjs').Finding} Finding */

/** All checks in display order. Each one comes after those that it needs. */
const checks = [...machineChecks, ...installationChecks, gpuCheck, ...serviceChecks].filter(
  ({ checkoutOnly }) => isCheckout || !checkoutOnly,
);

const width = Math.max(...checks.map(({ name }) => name.length));

const help = `Usage: tunebook doctor [--json] [CHECK...]

Checks everything that Tunebook depends on and prints a remedy for each problem. It changes nothing.

Checks (default: all). The dependencies of a named check run too, and are shown if they do not pass:
${checks.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`).join('\n')}

  --json  print one JSON object, { ok, checks: [{ name, status, found, remedy }] }
  --help  print this text

Exit codes: 0 no check failed, 1 a check failed, 2 invalid arguments.`;

const symbols = { ok: '✓', warning: '!', failed: '✗', skipped: '–' };
const colors = { ok: 32, warning: 33, failed: 31, skipped: 2 };

/** @param {string} text @param {number} code of an ANSI color */
const paint = (text, code) => (process.stdout.isTTY && !process.env['NO_COLOR'] ? `\x1b[${code}m${text}\x1b[0m` : text);

/** Formats a finding, with its remedy on a second line. @param {string} name @param {Finding} finding */
function lineOf(name, { status, found, remedy }) {
  const text = `${name.padEnd(width)}  ${found}`;
  const line = `${paint(symbols[status], colors[status])} ${status === 'skipped' ? paint(text, colors.skipped) : text}`;
  return remedy ? `${line}\n${' '.repeat(width + 4)}→ ${remedy}` : line;
}

/**
 * Formats the summary: all remedies, or the number of warnings. Remedies that run set-up become one: delete all broken
 * files, then run set-up once.
 * @param {({ name: string } & Finding)[]} findings
 */
function summarize(findings) {
  /** @type {{ names: string[], remedy: string, deleted: string[] }[]} */
  const remedies = [];
  for (const { name, status, remedy } of findings) {
    if (status !== 'failed' || !remedy) continue;
    const [, deleted] = (remedy.endsWith(setUp) && /^(?:rm -r (.*) && )?/.exec(remedy)) || [remedy];
    const same = remedy.endsWith(setUp) ? remedies.find((other) => other.remedy.endsWith(setUp)) : undefined;
    if (!same) remedies.push({ names: [name], remedy, deleted: deleted ? [deleted] : [] });
    else {
      same.names.push(name);
      if (deleted) same.deleted.push(deleted);
      same.remedy = same.deleted.length > 0 ? `rm -rf ${same.deleted.join(' ')} && ${setUp}` : setUp;
    }
  }
  if (remedies.length === 1) return `1 remedy to apply: ${remedies[0]?.remedy}`;
  if (remedies.length > 1)
    return [
      `${remedies.length} remedies to apply, in this order:`,
      ...remedies.map(({ names, remedy }, i) => `  ${i + 1}. ${names.join(', ')}: ${remedy}`),
    ].join('\n');
  const warnings = findings.filter(({ status }) => status === 'warning').length;
  if (warnings === 0) return 'All checks passed.';
  return `No check failed; ${warnings === 1 ? '1 warning' : `${warnings} warnings`}, marked by !`;
}

/** @param {string[]} args */
async function doctor(args) {
  if (args.includes('--help') || args.includes('-h')) return console.log(help);
  const json = args.includes('--json');
  const names = args.filter((arg) => arg !== '--json');
  const unknown = names.find((name) => !checks.some((check) => check.name === name));
  if (unknown) {
    console.error(`Unknown ${unknown.startsWith('-') ? 'flag' : 'check'} ${unknown}.\n\n${help}`);
    process.exitCode = 2;
    return;
  }
  /** @type {({ name: string } & Finding)[]} */
  const shown = [];
  for (const [name, finding] of start(withDependencies(checks, names))) {
    const { status, found, remedy } = await finding;
    if (names.length > 0 && !names.includes(name) && status === 'ok') continue;
    shown.push({ name, status, found, ...(remedy && { remedy }) });
    if (!json) console.log(lineOf(name, { status, found, ...(remedy && { remedy }) }));
  }
  const ok = shown.every(({ status }) => status !== 'failed');
  console.log(json ? JSON.stringify({ ok, checks: shown }, null, 2) : `\n${summarize(shown)}`);
  process.exitCode = ok ? 0 : 1;
}

doctor(process.argv.slice(process.argv[2] === 'doctor' ? 3 : 2));
