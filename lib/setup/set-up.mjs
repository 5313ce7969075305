// Runs the steps of set-up in order. A step runs if its output is missing or its inputs have changed.
// @ts-check
import path from 'node:path';
import { addon, compiledPackage } from './addon.mjs';
import { chromium } from './chromium.mjs';
import { compiledLibrary, compiledTests } from './compile.mjs';
import { embeddedModel, embeddedReviews } from './embedded.mjs';
import { lock, lockHolder } from './lock.mjs';
import { packages } from './packages.mjs';
import { cacheFolder, freeMegabytes, isCheckout, isSameDisk, root, workFolder } from './paths.mjs';
import { kernel, pythonEnvironment } from './python.mjs';
import { SetupError } from './run.mjs';
import { cacheLock, isDone, perform } from './steps.mjs';
import { tensorflowHeaders, tensorflowRuntime } from './tensorflow.mjs';
import { compilerCommand, findPython } from './tools.mjs';

const checkoutLock = path.join(workFolder, 'set-up.lock');

/** Returns the process of a running set-up, or ''. */
export const runningSetUp = () => lockHolder(checkoutLock) || lockHolder(cacheLock);

/**
 * Steps that every command needs; each depends on those before it.
 * @returns {import('./steps.mjs').Step[]}
 */
export const commonSteps = () => [
  ...(isCheckout ? [packages, pythonEnvironment, kernel] : []),
  ...(compiledPackage() || isDone(addon) ? [] : [tensorflowHeaders]),
  tensorflowRuntime,
  addon,
  ...(isCheckout ? [compiledLibrary] : []),
  embeddedModel,
  embeddedReviews,
];

/**
 * Additional steps for the tests. The pinned Chromium is built for Linux x64; TUNEBOOK_CHROMIUM selects another
 * browser.
 */
const testSteps = () =>
  process.platform === 'linux' && process.arch === 'x64' && !process.env['TUNEBOOK_CHROMIUM']
    ? [chromium, compiledTests]
    : [compiledTests];

/**
 * @typedef {object} Options
 * @property {boolean} quiet print nothing if everything is set up
 * @property {boolean} [tests] include the steps for the tests
 * @property {string | undefined} [through] id of the last step to run, so that a container image has one layer per step
 * @property {string | undefined} [only] id of the only step to run
 */

/**
 * Selects the steps.
 * @param {Options} options
 * @throws {SetupError} for an unknown step
 */
function selectSteps({ tests, through, only }) {
  const steps = commonSteps();
  const id = only ?? through;
  const last = steps.findIndex((step) => step.id === id);
  if (id !== undefined && last < 0)
    throw new SetupError(`Unknown step '${id}'. The steps are ${steps.map((step) => step.id).join(', ')}.`);
  if (only !== undefined) return steps.slice(last, last + 1);
  return [...steps.slice(0, through === undefined ? undefined : last + 1), ...(tests ? testSteps() : [])];
}

/**
 * Returns the disk space in MB that the unfinished steps need on each disk.
 * @param {import('./steps.mjs').Step[]} steps
 * @returns {{ folder: string, needed: number }[]} with a folder on the disk
 */
export function megabytesNeeded(steps) {
  const needed = (/** @type {boolean} */ inCache) =>
    steps.reduce((sum, step) => sum + ('folder' in step === inCache && !isDone(step) ? (step.megabytes ?? 0) : 0), 0);
  const [inRoot, inCache] = [needed(false), needed(true)];
  return isSameDisk(root, cacheFolder)
    ? [{ folder: root, needed: inRoot + inCache }]
    : [
        { folder: root, needed: inRoot },
        { folder: cacheFolder, needed: inCache },
      ];
}

/** @param {import('./steps.mjs').Step[]} steps @throws {SetupError} if a disk has too little space for the steps */
function checkSpace(steps) {
  for (const { folder, needed } of megabytesNeeded(steps))
    if (needed > 0 && freeMegabytes(folder) < needed)
      throw new SetupError(
        `Set-up needs about ${(needed / 1000).toFixed(1)} GB of disk space. ` +
          `${(freeMegabytes(folder) / 1000).toFixed(1)} GB are free at ${folder}. ` +
          'Free some disk space and run the same command again.',
      );
}

/**
 * Sets up what is missing. Progress is printed on standard error, because standard output of `tunebook … --json` must
 * be JSON.
 * @param {Options} options
 * @throws {SetupError} with a message for the user
 */
export async function setUp(options) {
  const { quiet } = options;
  const started = performance.now();
  const steps = selectSteps(options);
  let made = 0;
  /** @type {(() => void) | undefined} */
  let unlock;
  for (const [index, step] of steps.entries()) {
    // Checked only when the step is next: npm removes what later steps have put into node_modules.
    if (isDone(step)) continue;
    if (isCheckout && !unlock) {
      unlock = await lock(checkoutLock, 'this checkout');
      // The other set-up may have finished this step.
      if (isDone(step)) continue;
    }
    if (made === 0) {
      // Report missing tools before downloading anything.
      if (steps.includes(pythonEnvironment) && !isDone(pythonEnvironment)) findPython();
      if (steps.includes(addon) && !isDone(addon) && !compiledPackage()) compilerCommand();
      checkSpace(steps);
    }
    console.error(`[${index + 1}/${steps.length}] ${step.name} …`);
    const from = performance.now();
    const seconds = () => Math.round((performance.now() - from) / 1000);
    const ticker = step.silent ? setInterval(() => console.error(`      ${seconds()} s …`), 10_000) : undefined;
    await perform(step).finally(() => clearInterval(ticker));
    console.error(`      done in ${((performance.now() - from) / 1000).toFixed(1)} s`);
    made++;
  }
  unlock?.();
  if (made > 0) console.error(`Set-up finished in ${((performance.now() - started) / 1000).toFixed(0)} s.\n`);
  else if (!quiet) console.error('Everything is set up.');
}
