/** How every command ends when it fails: one message on standard error, and the exit code. */
import { CommanderError } from 'commander';
import { exitCodes } from '../errors.js';
import { exitCodeOf, describeError } from '../runs/error-report.js';

/** Whether DEBUG, a list by commas or spaces, names tunebook. */
const showsStack = (process.env['DEBUG'] ?? '').split(/[\s,]+/).some((name) => name === 'tunebook' || name === '*');

/**
 * Prints an error and sets the exit code. Stack traces are printed for errors that were not foreseen, and for all with DEBUG=tunebook.
 * @param error commander prints its own, which end with 2 like all input that is refused
 */
export function reportError(error: unknown): void {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.refused;
    return;
  }
  console.error(showsStack ? error : describeError(error));
  process.exitCode = exitCodeOf(error);
}
