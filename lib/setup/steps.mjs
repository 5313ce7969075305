// A step of set-up is done when its stamp holds the fingerprint of what it is made from. The stamp is written last, so a
// step that was interrupted at any point is simply done again.
// @ts-check
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { root, workFolder } from './paths.mjs';

/**
 * @typedef {object} Step
 * @property {string} name what is being made, for the person who waits
 * @property {string} stamp file name of the stamp
 * @property {() => string} fingerprint changes when the step must be done again
 * @property {string[]} makes paths that must exist for the step to count as done
 * @property {() => Promise<void>} make
 * @property {number} [megabytes] of disk that making it takes, downloads on their way included
 * @property {boolean} [silent] the tools that make it say nothing meanwhile
 */

/** @param {string[]} parts @returns {string} */
export const hash = (...parts) => createHash('sha256').update(parts.join('\0')).digest('hex');

/** @param {string[]} files relative to the root @returns {string} */
export const hashFiles = (...files) =>
  hash(...files.flatMap((file) => [file, fs.readFileSync(path.join(root, file), 'utf8')]));

/** Files under a folder of the checkout whose names match, sorted. @param {string} folder @param {RegExp} pattern @returns {string[]} */
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

/** What a step was last made from; nothing where it never was, or was interrupted. @param {Step} step */
export const madeFrom = (step) => (fs.existsSync(stampOf(step)) ? fs.readFileSync(stampOf(step), 'utf8') : undefined);

/** @param {Step} step */
export function isDone(step) {
  const made = madeFrom(step);
  // Of a step that was never made, what it is made from may not be there yet: an image copies it later.
  return made !== undefined && made === step.fingerprint() && step.makes.every((file) => fs.existsSync(file));
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
