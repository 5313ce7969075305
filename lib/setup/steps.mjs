// A step of set-up is done if its stamp contains the fingerprint of its inputs. The stamp is written last, so that an
// interrupted step runs again.
// @ts-check
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { root, workFolder } from './paths.mjs';

/**
 * @typedef {object} Step
 * @property {string} name name of the output, for progress messages
 * @property {string} stamp file name of the stamp
 * @property {() => string} fingerprint hash of the inputs; a change causes the step to run again
 * @property {string[]} outputs paths that must exist for the step to count as done
 * @property {() => Promise<void>} make runs the step
 * @property {number} [megabytes] disk space that the step needs, including temporary downloads
 * @property {boolean} [silent] whether the tools of the step print no progress
 */

/** @param {string[]} parts @returns {string} */
export const hash = (...parts) => createHash('sha256').update(parts.join('\0')).digest('hex');

/** @param {string[]} files relative to the root @returns {string} */
export const hashFiles = (...files) =>
  hash(...files.flatMap((file) => [file, fs.readFileSync(path.join(root, file), 'utf8')]));

/**
 * Lists the files under a folder of the checkout whose names match, sorted.
 * @param {string} folder
 * @param {RegExp} pattern
 * @returns {string[]}
 */
export function filesUnder(folder, pattern) {
  return fs
    .readdirSync(path.join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const name = `${folder}/${entry.name}`;
      if (entry.isDirectory())
        return entry.name === 'dist' || entry.name === 'node_modules' ? [] : filesUnder(name, pattern);
      return pattern.test(entry.name) ? [name] : [];
    })
    .sort();
}

/** @param {Step} step */
const stampOf = (step) => path.join(workFolder, 'done', step.stamp);

/** Returns the stored fingerprint of a step; undefined if the step never ran or was interrupted. @param {Step} step */
export const storedFingerprint = (step) =>
  fs.existsSync(stampOf(step)) ? fs.readFileSync(stampOf(step), 'utf8') : undefined;

/** @param {Step} step */
export function isDone(step) {
  const stored = storedFingerprint(step);
  // The inputs of a step that never ran may not exist yet: a container build copies them later.
  return stored !== undefined && stored === step.fingerprint() && step.outputs.every((file) => fs.existsSync(file));
}

/** @param {Step} step */
export async function perform(step) {
  const stamp = stampOf(step);
  fs.rmSync(stamp, { force: true });
  await step.make();
  fs.mkdirSync(path.dirname(stamp), { recursive: true });
  fs.writeFileSync(`${stamp}.new`, step.fingerprint());
  fs.renameSync(`${stamp}.new`, stamp);
}
