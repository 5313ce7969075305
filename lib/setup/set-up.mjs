// Runs the steps of set-up in order. A step runs if its output is missing or its inputs have changed.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from './chromium.mjs';
import { compiledLibrary, compiledTests } from './compile.mjs';
import { embeddedModel, embeddedReviews } from './embedded.mjs';
import { isRunning } from './npm-process.mjs';
import { packages } from './packages.mjs';
import { freeMegabytes, root, workFolder } from './paths.mjs';
import { kernel, pythonEnvironment } from './python.mjs';
import { SetupError } from './run.mjs';
import { isDone, perform } from './steps.mjs';
import { addon, tensorflowRuntime } from './tensorflow.mjs';
import { compilerCommand, findPython } from './tools.mjs';

const lockFile = path.join(workFolder, 'set-up.pid');

/** Returns the id of the process that created the lock, which may have ended; 0 if there is no lock. */
function lockOwner() {
  try {
    return Number(fs.readFileSync(lockFile, 'utf8'));
  } catch {
    return 0;
  }
}

/** Returns the process id of a running set-up, or 0. The lock of a process that has ended does not count. */
export function runningSetUp() {
  const other = lockOwner();
  return other && isRunning(other) ? other : 0;
}

/**
 * Waits until no other set-up is running and creates the lock. Concurrent set-ups would move each other's files, and
 * ranks that start together all run set-up. The lock is a hard link, so that it never exists without its content.
 */
async function lock() {
  fs.mkdirSync(workFolder, { recursive: true });
  const own = `${lockFile}.${process.pid}`;
  fs.writeFileSync(own, String(process.pid));
  try {
    for (let waited = 0; ; waited++) {
      try {
        fs.linkSync(own, lockFile);
        break;
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
      }
      const other = lockOwner();
      // The owner was killed. A lock that was just released has no owner and no file.
      if (other && !isRunning(other)) fs.rmSync(lockFile, { force: true });
      else {
        if (other && waited === 0)
          console.error(`Another set-up is running in this checkout (process ${other}); waiting for it …`);
        await pause(200);
      }
    }
  } finally {
    fs.rmSync(own, { force: true });
  }
  process.on('exit', unlock);
}

/** Releases the lock before the command runs, which may take hours. */
function unlock() {
  process.off('exit', unlock);
  fs.rmSync(lockFile, { force: true });
}

/** Steps that every command needs; each depends on those before it. */
export const commonSteps = [
  packages,
  pythonEnvironment,
  kernel,
  tensorflowRuntime,
  addon,
  compiledLibrary,
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

/** @param {string} through @returns {import('./steps.mjs').Step[]} */
function stepsThrough(through) {
  const last = commonSteps.findIndex(({ stamp }) => stamp === through);
  if (last < 0)
    throw new SetupError(
      `Unknown step '${through}'. --through accepts ${commonSteps.map(({ stamp }) => stamp).join(', ')}.`,
    );
  return commonSteps.slice(0, last + 1);
}

/**
 * Returns the disk space in MB that the unfinished steps need.
 * @param {import('./steps.mjs').Step[]} steps
 */
export const megabytesNeeded = (steps) =>
  steps.reduce((sum, each) => sum + (isDone(each) ? 0 : (each.megabytes ?? 0)), 0);

/**
 * Sets up what is missing. Progress is printed on standard error, because standard output of `tunebook … --json` must
 * be JSON.
 * @param {{ quiet: boolean, tests: boolean, through?: string | undefined }} options quiet: print nothing if everything
 *   is set up; tests: include the steps for the tests; through: stamp of the last step to run, so that a container
 *   image has one layer per step
 * @throws {SetupError} with a message for the user
 */
export async function setUp({ quiet, tests, through }) {
  const started = performance.now();
  const wanted = through === undefined ? commonSteps : stepsThrough(through);
  const steps = tests ? [...wanted, ...testSteps()] : wanted;
  let made = 0;
  let locked = false;
  for (const [index, step] of steps.entries()) {
    // Checked only when the step is next: npm removes what later steps have put into node_modules.
    if (isDone(step)) continue;
    if (!locked) {
      await lock();
      locked = true;
      // The other set-up may have finished this step.
      if (isDone(step)) continue;
    }
    if (made === 0) {
      // Report missing tools before downloading anything.
      if (!isDone(pythonEnvironment)) findPython();
      if (!isDone(addon)) compilerCommand();
      const needed = megabytesNeeded(steps);
      if (freeMegabytes() < needed)
        throw new SetupError(
          `Set-up needs about ${(needed / 1000).toFixed(1)} GB of disk space. ` +
            `${(freeMegabytes() / 1000).toFixed(1)} GB are free at ${root}. ` +
            'Free some disk space and run the same command again.',
        );
    }
    console.error(`[${index + 1}/${steps.length}] ${step.name} …`);
    const from = performance.now();
    const seconds = () => Math.round((performance.now() - from) / 1000);
    const ticker = step.silent ? setInterval(() => console.error(`      ${seconds()} s …`), 10_000) : undefined;
    await perform(step).finally(() => clearInterval(ticker));
    console.error(`      done in ${((performance.now() - from) / 1000).toFixed(1)} s`);
    made++;
  }
  if (locked) unlock();
  if (made > 0) console.error(`Set-up finished in ${((performance.now() - started) / 1000).toFixed(0)} s.\n`);
  else if (!quiet) console.error('Everything is set up.');
}
