// Running the tools that set-up needs, with their output shown, and errors that say what to do.
// @ts-check
import { spawn } from 'node:child_process';
import fs from 'node:fs';

/** What went wrong in set-up, in words for the person who sees it. */
export class SetupError extends Error {
  /** @override */
  name = 'SetupError';
  /**
   * @param {string} what happened, and to what
   * @param {string} [remedy] what to do next
   */
  constructor(what, remedy) {
    super(remedy ? `${what} ${remedy}` : what);
    this.what = what;
    this.remedy = remedy;
  }
}

/**
 * Runs a command with its output shown on this terminal, or written to a file.
 * @param {string} command
 * @param {string[]} argv
 * @param {{ cwd?: string, what: string, env?: NodeJS.ProcessEnv, remedy?: string, log?: string | undefined }} options log: the file
 * @returns {Promise<void>}
 */
export function run(command, argv, { cwd, what, env, remedy, log }) {
  return new Promise((resolve, reject) => {
    // Both on standard error, see setUp.
    const output = log === undefined ? 2 : fs.openSync(log, 'w');
    const child = spawn(command, argv, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', output, output],
    });
    if (log !== undefined) fs.closeSync(output);
    child.on('error', (error) =>
      reject(new SetupError(`${what}: ${command} could not be started (${error.message}).`)),
    );
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new SetupError(
            `${what} did not succeed: ${command} ended with ${signal ?? `exit status ${code}`} (its own words are above). ` +
              (remedy ?? 'Run the same command again; what was already done is kept.'),
          ),
        );
    });
  });
}
