// What a check of `tunebook doctor` is, and what it may find.
// @ts-check

/**
 * @typedef {object} Finding
 * @property {'ok' | 'warning' | 'failed' | 'skipped'} status
 * @property {string} found what was seen
 * @property {string} [remedy] the one thing to do
 * @property {boolean} [blocks] checks that need this one are skipped although it has not failed
 * @property {'CPU' | 'GPU'} [device] that TensorFlow has used
 *
 * @typedef {object} Check
 * @property {string} name by which people choose it
 * @property {string} about what is looked at, for --help
 * @property {string[]} [needs] checks without which this one cannot say anything of its own
 * @property {string[]} [after] checks that it is never made without and that do not stand in its way
 * @property {(outcome: (name: string) => Promise<Finding | undefined>) => Finding | Promise<Finding>} examine
 *   is handed a function that waits for what another check finds; it gives nothing for one that is not made this time
 */

/** @param {string} found @returns {Finding} */
export const ok = (found) => ({ status: 'ok', found });

/** It works, and something may be done about it. @param {string} found @param {string} [remedy] @returns {Finding} */
export const warning = (found, remedy) => ({ status: 'warning', found, ...(remedy && { remedy }) });

/** @param {string} found @param {string} [remedy] @returns {Finding} */
export const failed = (found, remedy) => ({ status: 'failed', found, ...(remedy && { remedy }) });

/** @param {string} found @returns {Finding} */
export const skipped = (found) => ({ status: 'skipped', found });

/** @param {unknown} error @returns {string} its first line */
export const firstLineOf = (error) => String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
