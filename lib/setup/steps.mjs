// Steps of set-up, and when one is done. A step in the checkout has a stamp with the fingerprint of its inputs, written last,
// so that an interrupted step runs again. A step in the per-user cache creates a folder whose name contains the fingerprint.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { buildFolder } from './downloads.mjs';
import { lock } from './lock.mjs';
import { cacheFolder, workFolder } from './paths.mjs';
import { SetupError } from './run.mjs';

/**
 * @typedef {object} CheckoutStep
 * @property {string} name name of the output, for progress messages
 * @property {string} id file name of the stamp; --through accepts it too
 * @property {() => string} fingerprint hash of the inputs; a change causes the step to run again
 * @property {string[]} outputs paths that must exist for the step to count as done
 * @property {() => Promise<void>} make runs the step
 * @property {number} [megabytes] disk space that the step needs, including temporary downloads
 * @property {boolean} [silent] whether the tools of the step print no progress
 */

/**
 * @typedef {object} CacheStep
 * @property {string} name name of the output, for progress messages
 * @property {string} id for --through
 * @property {() => string} folder see cache.mjs
 * @property {() => string[]} files in the folder that must exist for the step to count as done
 * @property {() => boolean} [isOutdated] whether a complete folder must be made again
 * @property {(temporary: string) => Promise<void>} make fills a temporary folder, which then becomes the folder
 * @property {number} [megabytes]
 * @property {boolean} [silent]
 */

/** @typedef {CheckoutStep | CacheStep} Step */

/** File in a folder of the cache with the sizes of its main files, so that a damaged one is noticed. */
const sizesFile = '.sizes.json';

/** @param {string} file @returns {number} -1 if there is none */
const sizeOf = (file) => fs.statSync(file, { throwIfNoEntry: false })?.size ?? -1;

/**
 * Returns the name of a main file of a step that is missing or damaged, by its size.
 * @param {CacheStep} step
 */
export function faultyFile(step) {
  const folder = step.folder();
  const expected = readSizes(path.join(folder, sizesFile));
  return step.files().find((name) => sizeOf(path.join(folder, name)) !== expected[name]);
}

/** @param {string} file @returns {Record<string, number>} empty if the file is missing or damaged */
function readSizes(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) ?? {};
  } catch {
    return {};
  }
}

export const cacheLock = path.join(cacheFolder, 'set-up.lock');

/** @param {CheckoutStep} step */
const stampOf = (step) => path.join(workFolder, 'done', step.id);

/**
 * Returns the stored fingerprint of a step; undefined if the step never ran or was interrupted.
 * @param {CheckoutStep} step
 */
export const storedFingerprint = (step) =>
  fs.existsSync(stampOf(step)) ? fs.readFileSync(stampOf(step), 'utf8') : undefined;

/** @param {Step} step */
export function isDone(step) {
  if ('folder' in step) return faultyFile(step) === undefined && !step.isOutdated?.();
  const stored = storedFingerprint(step);
  // The inputs of a step that never ran may not exist yet: a container build copies them later.
  return stored !== undefined && stored === step.fingerprint() && step.outputs.every((file) => fs.existsSync(file));
}

/** @throws {SetupError} if the cache cannot be written to */
function checkWritable() {
  try {
    fs.mkdirSync(cacheFolder, { recursive: true });
    fs.accessSync(cacheFolder, fs.constants.W_OK);
  } catch (error) {
    throw new SetupError(
      `${cacheFolder} cannot be written to (${/** @type {NodeJS.ErrnoException} */ (error).code}).`,
      'Set XDG_CACHE_HOME to the absolute path of a folder that is writable.',
    );
  }
}

/** @param {Step} step */
export async function perform(step) {
  if ('folder' in step) {
    checkWritable();
    const release = await lock(cacheLock, `the folder ${cacheFolder}`);
    // The other process may have finished this step.
    if (!isDone(step))
      await buildFolder(step.folder(), async (temporary) => {
        await step.make(temporary);
        const sizes = Object.fromEntries(step.files().map((name) => [name, sizeOf(path.join(temporary, name))]));
        fs.writeFileSync(path.join(temporary, sizesFile), JSON.stringify(sizes));
      });
    release();
    return;
  }
  const stamp = stampOf(step);
  fs.rmSync(stamp, { force: true });
  await step.make();
  fs.mkdirSync(path.dirname(stamp), { recursive: true });
  fs.writeFileSync(`${stamp}.new`, step.fingerprint());
  fs.renameSync(`${stamp}.new`, stamp);
}
