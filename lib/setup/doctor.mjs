// `npx tunebook doctor` and `npm run doctor`: checks everything that Tunebook depends on and prints a remedy for each
// problem. It must work where set-up fails, so it is plain JavaScript that unsupported old versions of Node can also
// run. It installs, changes and deletes nothing.
//   node lib/setup/doctor.mjs [--json] [CHECK...]
// @ts-check
import { checks } from './doctor/checks.mjs';
import { examine, withDependencies } from './doctor/examine.mjs';
import { lineOf, summarize } from './doctor/show.mjs';

/** @typedef {import('./doctor/finding.mjs').Check} Check */
/** @typedef {import('./doctor/finding.mjs').Finding} Finding */

const width = Math.max(...checks.map(({ name }) => name.length));

const help = `Usage: tunebook doctor [--json] [CHECK...]

Checks everything that Tunebook depends on and prints a remedy for each problem. It changes nothing.

Checks (default: all). The dependencies of a named check run too, and are shown if they do not pass:
${checks.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`).join('\n')}

  --json  print one JSON object, { ok, checks: [{ name, status, found, remedy }] }
  --help  print this text

Exit codes: 0 no check failed, 1 a check failed, 2 invalid arguments.`;

/** @param {string[]} args @returns {string | undefined} an error message */
function argumentError(args) {
  const flag = args.find((arg) => arg.startsWith('-') && arg !== '--json');
  if (flag) return `Unknown flag ${flag}.`;
  const name = args.find((arg) => arg !== '--json' && !checks.some((check) => check.name === arg));
  return name && `Unknown check ${name}.`;
}

/** @param {string[]} args */
async function doctor(args) {
  if (args.includes('--help') || args.includes('-h')) return console.log(help);
  const error = argumentError(args);
  if (error) {
    console.error(`${error}\n\n${help}`);
    process.exitCode = 2;
    return;
  }
  const json = args.includes('--json');
  const names = args.filter((arg) => arg !== '--json');
  /** @type {({ name: string } & Finding)[]} */
  const shown = [];
  for (const [name, finding] of examine(withDependencies(checks, names))) {
    const { status, found, remedy } = await finding;
    if (names.length > 0 && !names.includes(name) && status === 'ok') continue;
    shown.push({ name, status, found, ...(remedy && { remedy }) });
    if (!json) console.log(lineOf(name, { status, found, ...(remedy && { remedy }) }, width));
  }
  const ok = shown.every(({ status }) => status !== 'failed');
  if (json) console.log(JSON.stringify({ ok, checks: shown }, null, 2));
  else console.log(`\n${summarize(shown)}`);
  process.exitCode = ok ? 0 : 1;
}

doctor(process.argv.slice(process.argv[2] === 'doctor' ? 3 : 2));
