// The globals of Node that the library uses, for bundles for browsers.
// @ts-check
export { Buffer } from 'buffer/';

export const process = { env: {}, pid: 1, platform: 'browser', cwd: () => '/', emitWarning: console.warn };

const { port1, port2 } = new MessageChannel();
/** @type {(() => void)[]} */
const waiting = [];
port1.addEventListener('message', () => waiting.shift()?.());
port1.start();

/** Calls a function after events that have arrived. Timers would wait for at least 4 ms. @param {() => void} callback */
export function setImmediate(callback) {
  waiting.push(callback);
  port2.postMessage(undefined);
}
