// Runs external tools for set-up, shows their output, and throws errors with a remedy.
// @ts-check
import { spawn } from 'node:child_process';
import fs from 'node:fs';

/** Error of set-up, with a message for the user. */
export class SetupError extends Error {
  /** @override */
  name = 'SetupError';
  /**
   * @param {string} what failed, on what and why
   * @param {string} [remedy] how to fix it
   */
  constructor(what, remedy) {
    super(remedy ? `${what} ${remedy}` : what);
    this.what = what;
    this.remedy = remedy;
  }
}

/**
 * Runs a command and shows its output on this terminal or writes it to a file.
 * @param {string} command
 * @param {string[]} argv
 * @param {{ cwd?: string, what: string, env?: NodeJS.ProcessEnv, remedy?: string, log?: string | undefined }} options
 *   what: name of the task in messages; log: file for the output
 * @returns {Promise<void>}
 */
export function run(command, argv, { cwd, what, env, remedy, log }) {
  return new Promise((resolve, reject) => {
    // Standard output and error both go to standard error, see setUp.
    const output = log === undefined ? 2 : fs.openSync(log, 'w');
    const child = spawn(command, argv, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', output, output],
    });
    if (log !== undefined) fs.closeSync(output);
    child.on('error', (error) =>
      reject(new SetupError(`${what} failed: ${command} could not be started (${error.message}).`)),
    );
    child.on('exit', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new SetupError(
            `${what} failed: ${command} ended with ${signal ?? `exit status ${code}`} (see its output above). ` +
              (remedy ?? 'Run the same command again; finished steps are kept.'),
          ),
        );
    });
  });
}
