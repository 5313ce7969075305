// What `npm start`, `npm test`, `npm run lab` and `npm run setup` run first: sets up all that is missing and nothing else.
// Plain Node without a dependency, since nothing is installed yet.
//   node lib/setup/main.mjs [--quiet] [--for test]
// @ts-check
import { prepare } from './prepare.mjs';

const [, , ...words] = process.argv;
prepare({ quiet: words.includes('--quiet'), tests: words[words.indexOf('--for') + 1] === 'test' });
