// The globals of Node that the library uses, for bundles for browsers.
// @ts-check
export { Buffer } from 'buffer/';

export const process = { env: {}, pid: 1, platform: 'browser', cwd: () => '/', emitWarning: console.warn };

/** Calls a function after events that have arrived. Firefox handles messages of a MessageChannel before those of the page. */
export const setImmediate = (/** @type {() => void} */ callback) => setTimeout(callback);
