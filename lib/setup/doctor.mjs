// `npx tunebook doctor` and `npm run doctor`: looks at everything that Tunebook stands on, and says of what is not in order what
// to do. It works where set-up does not, so it is plain Node, which a Node too old for the rest can read as well; and it
// sets nothing up, changes nothing and deletes nothing.
//   node lib/setup/doctor.mjs [--json] [CHECK...]
// @ts-check
import { checks } from './doctor/checks.mjs';
import { examine, withWhatTheyNeed } from './doctor/examine.mjs';
import { closing, lineOf } from './doctor/show.mjs';

/** @typedef {import('./doctor/finding.mjs').Check} Check */
/** @typedef {import('./doctor/finding.mjs').Finding} Finding */

const width = Math.max(...checks.map(({ name }) => name.length));

const help = `Usage: tunebook doctor [--json] [CHECK...]

Looks at everything that Tunebook stands on, and says of what is not in order what to do. It changes nothing.

Checks, all of them unless some are named; what a named one needs is looked at too, and shown if it is not in order:
${checks.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`).join('\n')}

  --json  one object, { ok, checks: [{ name, status, found, remedy }] }
  --help  this

Exit codes: 0 nothing has failed, 1 something has, 2 the command was not understood.`;

/** @param {string[]} words */
function misunderstood(words) {
  const flag = words.find((word) => word.startsWith('-') && word !== '--json');
  if (flag) return `There is no flag ${flag}.`;
  const name = words.find((word) => word !== '--json' && !checks.some((check) => check.name === word));
  return name && `There is no check ${name}.`;
}

/** @param {string[]} words */
async function doctor(words) {
  if (words.includes('--help') || words.includes('-h')) return console.log(help);
  const complaint = misunderstood(words);
  if (complaint) {
    console.error(`${complaint}\n\n${help}`);
    process.exitCode = 2;
    return;
  }
  const json = words.includes('--json');
  const names = words.filter((word) => word !== '--json');
  /** @type {({ name: string } & Finding)[]} */
  const shown = [];
  for (const [name, finding] of examine(withWhatTheyNeed(checks, names))) {
    const { status, found, remedy } = await finding;
    if (names.length > 0 && !names.includes(name) && status === 'ok') continue;
    shown.push({ name, status, found, ...(remedy && { remedy }) });
    if (!json) console.log(lineOf(name, { status, found, ...(remedy && { remedy }) }, width));
  }
  const ok = shown.every(({ status }) => status !== 'failed');
  if (json) console.log(JSON.stringify({ ok, checks: shown }, null, 2));
  else console.log(`\n${closing(shown)}`);
  process.exitCode = ok ? 0 : 1;
}

doctor(process.argv.slice(process.argv[2] === 'doctor' ? 3 : 2));
