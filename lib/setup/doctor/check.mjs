// Checks and their findings, and running them concurrently. A check waits for those that it needs and is skipped if one
// of them fails, so that one problem yields one remedy.
// @ts-check
import path from 'node:path';
import { root, setUpCommand } from '../paths.mjs';
import { SetupError } from '../run.mjs';
import { isDone } from '../steps.mjs';

/**
 * @typedef {object} Finding
 * @property {'ok' | 'warning' | 'failed' | 'skipped'} status
 * @property {string} found what the check found
 * @property {string} [remedy] how to fix it
 * @property {string} [blocker] name of the check because of which the checks that need this one are skipped
 * @property {'CPU' | 'GPU'} [device] that TensorFlow used
 *
 * @typedef {object} Check
 * @property {string} name for the command line
 * @property {string} about description for --help
 * @property {string[]} [needs] earlier checks that must pass before this one can run
 * @property {boolean} [checkoutOnly] whether it checks something that the installed npm package does not have
 * @property {string[]} [after] earlier checks that always run with this one and do not block it
 * @property {import('../steps.mjs').Step} [onlyFor] step of set-up that needs what is checked; once it is done, a
 *   missing tool is only a warning
 * @property {(outcome: (name: string) => Promise<Finding | undefined>) => Finding | Promise<Finding>} run
 *   receives a function that waits for the finding of an earlier check; undefined if that check does not run. Errors of
 *   set-up are findings.
 */

/** @param {string} found @returns {Finding} */
export const ok = (found) => ({ status: 'ok', found });

/** Not an error, but can be improved. @param {string} found @param {string} [remedy] @returns {Finding} */
export const warning = (found, remedy) => ({ status: 'warning', found, ...(remedy && { remedy }) });

/** @param {string} found @param {string} [remedy] @returns {Finding} */
export const failed = (found, remedy) => ({ status: 'failed', found, ...(remedy && { remedy }) });

export const setUp = setUpCommand;

/**
 * Returns the command that repeats a step. Set-up skips a step that is done and whose main files exist, so its broken output
 * must be deleted first.
 * @param {import('../steps.mjs').Step} step
 * @param {...string} broken paths
 */
export const repeatStep = (step, ...broken) =>
  isDone(step) ? `rm -r ${broken.map(shorten).join(' ')} && ${setUp}` : setUp;

/** A path as a user would write it: relative to the checkout if it is inside. @param {string} file */
export const shorten = (file) => (file.startsWith(root + path.sep) ? path.relative(root, file) : file);

/** Returns the first line of an error message. @param {unknown} error @returns {string} */
export const firstLineOf = (error) => String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';

/** @param {import('../steps.mjs').Step} step */
function isDoneAndValid(step) {
  try {
    return isDone(step);
  } catch (error) {
    // TUNEBOOK_TENSORFLOW is invalid, which the check `tensorflow` reports.
    if (error instanceof SetupError) return false;
    throw error;
  }
}

/**
 * Selects checks by name, and the checks that these depend on.
 * @param {Check[]} checks
 * @param {string[]} names empty for all
 * @returns {Check[]}
 */
export function withDependencies(checks, names) {
  if (names.length === 0) return checks;
  const wanted = new Set(names);
  // Reversed, because each check comes after those that it needs.
  for (const { name, needs = [], after = [] } of [...checks].reverse())
    if (wanted.has(name)) for (const other of [...needs, ...after]) wanted.add(other);
  return checks.filter(({ name }) => wanted.has(name));
}

/**
 * Starts all checks.
 * @param {Check[]} checks
 * @returns {Map<string, Promise<Finding>>} findings by name, in the order of the checks
 */
export function start(checks) {
  /** @type {Map<string, Promise<Finding>>} */
  const findings = new Map();
  for (const check of checks)
    findings.set(
      check.name,
      findingOf(check, async (name) => findings.get(name)),
    );
  return findings;
}

/**
 * Runs a check, or skips it if a check that it needs has failed.
 * @param {Check} check
 * @param {(name: string) => Promise<Finding | undefined>} outcome
 * @returns {Promise<Finding>}
 */
async function findingOf({ name, needs = [], onlyFor, run }, outcome) {
  for (const need of needs) {
    const { blocker } = (await outcome(need)) ?? {};
    if (blocker) return { status: 'skipped', found: `needs ${blocker}`, blocker };
  }
  try {
    const finding = await run(outcome);
    return finding.status === 'failed' ? { ...finding, blocker: name } : finding;
  } catch (error) {
    if (!(error instanceof SetupError))
      return { ...failed(`The check failed: ${firstLineOf(error)}`, setUp), blocker: name };
    return onlyFor && isDoneAndValid(onlyFor)
      ? warning(`${error.what} Only the next set-up needs it; what is installed keeps working.`, error.remedy)
      : { ...failed(error.what, error.remedy), blocker: name };
  }
}
