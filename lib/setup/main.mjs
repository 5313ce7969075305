// What `npm start`, `npm test`, `npm run lab` and `npm run setup` run first: sets up all that is missing and nothing else.
// Plain Node without a dependency, since nothing is installed yet.
//   node lib/setup/main.mjs [--quiet] [--for test]
// This file is all that a Node too old for the rest must be able to read.
// @ts-check
import { SetupError } from './run.mjs';
import { checkNode } from './tools.mjs';

Promise.resolve()
  .then(checkNode)
  .then(() => import('./set-up.mjs'))
  .then(({ setUp }) => setUp())
  .catch((error) => {
    process.exitCode = 1;
    if (error.code === 'ENOSPC')
      console.error('\nSet-up stopped: the disk is full. Make room and run the same command again.');
    else if (error instanceof SetupError) console.error(`\nSet-up stopped: ${error.message}`);
    else throw error;
  });
