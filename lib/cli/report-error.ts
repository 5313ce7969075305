/** Error handling of all commands: a message on standard error, and the exit code. */
import { CommanderError } from 'commander';
import { exitCodes } from '../errors.js';
import { exitCodeOf, describeError } from '../runs/error-report.js';

/** Whether DEBUG, a list separated by commas or spaces, contains tunebook or *. */
const showsStack = (process.env['DEBUG'] ?? '').split(/[\s,]+/).some((name) => name === 'tunebook' || name === '*');

/**
 * Prints an error and sets the exit code. Prints the stack trace of unexpected errors, and with DEBUG=tunebook of all.
 * @param error a CommanderError has been printed already; it becomes exit code 2, or 0 after --help
 */
export function reportError(error: unknown): void {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.invalid;
    return;
  }
  console.error(showsStack ? error : describeError(error));
  process.exitCode = exitCodeOf(error);
}
