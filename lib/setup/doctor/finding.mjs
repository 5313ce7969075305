// Types of the checks of `tunebook doctor` and of their findings.
// @ts-check

/**
 * @typedef {object} Finding
 * @property {'ok' | 'warning' | 'failed' | 'skipped'} status
 * @property {string} found what the check found
 * @property {string} [remedy] how to fix it
 * @property {boolean} [blocks] whether checks that need this one are skipped although it has not failed
 * @property {'CPU' | 'GPU'} [device] that TensorFlow used
 *
 * @typedef {object} Check
 * @property {string} name for the command line
 * @property {string} about description for --help
 * @property {string[]} [needs] checks that must pass before this one can run
 * @property {string[]} [after] checks that always run with this one and do not block it
 * @property {(outcome: (name: string) => Promise<Finding | undefined>) => Finding | Promise<Finding>} examine
 *   receives a function that waits for the finding of another check; undefined if that check does not run
 */

/** @param {string} found @returns {Finding} */
export const ok = (found) => ({ status: 'ok', found });

/** Not an error, but can be improved. @param {string} found @param {string} [remedy] @returns {Finding} */
export const warning = (found, remedy) => ({ status: 'warning', found, ...(remedy && { remedy }) });

/** @param {string} found @param {string} [remedy] @returns {Finding} */
export const failed = (found, remedy) => ({ status: 'failed', found, ...(remedy && { remedy }) });

/** @param {string} found @returns {Finding} */
export const skipped = (found) => ({ status: 'skipped', found });

/** Returns the first line of an error message. @param {unknown} error @returns {string} */
export const firstLineOf = (error) => String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
