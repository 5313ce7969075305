// What `npm run setup` runs, and `npm test` and the measurements run first: sets up all that is missing and nothing else.
// Plain Node without a dependency, since nothing is installed yet.
//   node lib/setup/main.mjs [--quiet] [--for test] [--through STEP]
// @ts-check
import { prepare } from './prepare.mjs';

const [, , ...words] = process.argv;
/** @param {string} flag */
const valueOf = (flag) => (words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined);
prepare({ quiet: words.includes('--quiet'), tests: valueOf('--for') === 'test', through: valueOf('--through') });
