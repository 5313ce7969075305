// The steps of set-up in their order; each is done when it is missing or what it is made from has changed.
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

/** The process that holds the lock, whether it still is or not; 0 where there is no lock. */
function holder() {
  try {
    return Number(fs.readFileSync(lockFile, 'utf8'));
  } catch {
    return 0;
  }
}

/** The process of a set-up that is under way, or 0. The lock of a process that is no more does not count. */
export function setUpUnderWay() {
  const other = holder();
  return other && isRunning(other) ? other : 0;
}

/**
 * Two set-ups at once would move each other's files away: the second waits. Ranks that are started together all begin with one.
 * A lock is there with its content or not at all.
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
      const other = holder();
      // Of a process that was killed; one that has just been given back is gone by itself.
      if (other && !isRunning(other)) fs.rmSync(lockFile, { force: true });
      else {
        if (other && waited === 0)
          console.error(`Another set-up is under way in this checkout (process ${other}): waiting for it …`);
        await pause(200);
      }
    }
  } finally {
    fs.rmSync(own, { force: true });
  }
  process.on('exit', unlock);
}

/** What comes after set-up may take hours. */
function unlock() {
  process.off('exit', unlock);
  fs.rmSync(lockFile, { force: true });
}

/** The steps that every command needs, in the order in which each needs those before it. */
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

/** What the tests need besides. The pinned Chromium is built for Linux x64; TUNEBOOK_CHROMIUM names another. */
const testSteps = () =>
  process.platform === 'linux' && process.arch === 'x64' && !process.env['TUNEBOOK_CHROMIUM']
    ? [chromium, compiledTests]
    : [compiledTests];

/** @param {string} through @returns {import('./steps.mjs').Step[]} */
function stepsThrough(through) {
  const last = commonSteps.findIndex(({ stamp }) => stamp === through);
  if (last < 0)
    throw new SetupError(
      `There is no step '${through}'; --through takes ${commonSteps.map(({ stamp }) => stamp).join(', ')}.`,
    );
  return commonSteps.slice(0, last + 1);
}

/**
 * Disk that the steps still need.
 * @param {import('./steps.mjs').Step[]} steps
 */
export const megabytesNeeded = (steps) =>
  steps.reduce((sum, each) => sum + (isDone(each) ? 0 : (each.megabytes ?? 0)), 0);

/**
 * Says what it does on standard error: what `tunebook … --json` prints is for machines.
 * @param {{ quiet: boolean, tests: boolean, through?: string | undefined }} options quiet: says nothing when there is nothing to
 *   do; tests: sets up what they need too; through: the step, by its stamp, after which it ends: an image has a layer for each
 * @throws {SetupError} in words for the person who sees it
 */
export async function setUp({ quiet, tests, through }) {
  const started = performance.now();
  const wanted = through === undefined ? commonSteps : stepsThrough(through);
  const steps = tests ? [...wanted, ...testSteps()] : wanted;
  let made = 0;
  let locked = false;
  for (const [index, step] of steps.entries()) {
    // npm removes what set-up had put into node_modules, so each step is looked at when its turn comes.
    if (isDone(step)) continue;
    if (!locked) {
      await lock();
      locked = true;
      // Whoever was waited for may have done it.
      if (isDone(step)) continue;
    }
    if (made === 0) {
      // What the machine lacks is said before anything is fetched.
      if (!isDone(pythonEnvironment)) findPython();
      if (!isDone(addon)) compilerCommand();
      const needed = megabytesNeeded(steps);
      if (freeMegabytes() < needed)
        throw new SetupError(
          `About ${(needed / 1000).toFixed(1)} GB of disk are needed and ${(freeMegabytes() / 1000).toFixed(1)} GB are free ` +
            `at ${root}. Make room and run the same command again.`,
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
  if (made > 0) console.error(`Set up in ${((performance.now() - started) / 1000).toFixed(0)} s.\n`);
  else if (!quiet) console.error('Everything is set up.');
}
