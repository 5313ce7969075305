// Set-up as the commands begin with it: done where something is missing, and when it fails said in words.
// This file and those that import it are all that a Node too old for the rest must be able to read.
// @ts-check
import { SetupError } from './run.mjs';
import { checkNode, checkSystem } from './tools.mjs';

/**
 * @param {{ quiet: boolean, tests: boolean, through?: string | undefined }} options see setUp
 * @returns {Promise<boolean>} whether all is there; if not, the exit code is set and the reason said
 */
export function prepare(options) {
  return Promise.resolve()
    .then(checkSystem)
    .then(checkNode)
    .then(() => import('./set-up.mjs'))
    .then(({ setUp }) => setUp(options))
    .then(() => true)
    .catch((error) => {
      process.exitCode = 1;
      if (error.code === 'ENOSPC')
        console.error('\nSet-up stopped: the disk is full. Make room and run the same command again.');
      else if (error instanceof SetupError) console.error(`\nSet-up stopped: ${error.message}`);
      else throw error;
      return false;
    });
}
