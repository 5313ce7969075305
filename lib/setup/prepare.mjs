// Set-up as the commands run it before they start: sets up what is missing and prints a message if that fails.
// Unsupported old versions of Node must be able to run this file, its static imports and the files that import it.
// @ts-check
import { SetupError } from './run.mjs';
import { checkNode, checkSystem } from './tools.mjs';

/**
 * @param {import('./set-up.mjs').Options} options
 * @returns {Promise<boolean>} whether set-up succeeded; if not, the reason is printed and the exit code is set
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
        console.error('\nSet-up failed: the disk is full. Free some disk space and run the same command again.');
      else if (error instanceof SetupError) console.error(`\nSet-up failed: ${error.message}`);
      else throw error;
      return false;
    });
}
