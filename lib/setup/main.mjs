// Entry point of `npm run setup`; `npm test` and the benchmarks run it first. Sets up only what is missing.
// Plain JavaScript without dependencies, because nothing is installed yet.
//   node lib/setup/main.mjs [--quiet] [--for test] [--through STEP] [--only STEP]
// @ts-check
import { prepare } from './prepare.mjs';

const [, , ...args] = process.argv;
/** @param {string} flag */
const valueOf = (flag) => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined);
prepare({
  quiet: args.includes('--quiet'),
  tests: valueOf('--for') === 'test',
  through: valueOf('--through'),
  only: valueOf('--only'),
});
