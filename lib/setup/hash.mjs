// Hashes of files, which tell whether the output of a step of set-up is up to date.
// @ts-check
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { packageFolder } from './paths.mjs';

/** @param {string[]} parts @returns {string} */
export const hash = (...parts) => createHash('sha256').update(parts.join('\0')).digest('hex');

/** @param {string[]} files relative to the package @returns {string} */
export const hashFiles = (...files) =>
  hash(...files.flatMap((file) => [file, fs.readFileSync(path.join(packageFolder, file), 'utf8')]));

/** Folders without sources: compiled files, packages, and the files that `tunebook init` copies. */
const skipped = ['dist', 'node_modules', 'template'];

/**
 * Lists the files under a folder whose names match, sorted.
 * @param {string} folder relative to the package
 * @param {RegExp} pattern
 * @returns {string[]} relative to the package; empty if there is no such folder
 */
export function filesUnder(folder, pattern) {
  if (!fs.existsSync(path.join(packageFolder, folder))) return [];
  return fs
    .readdirSync(path.join(packageFolder, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const name = path.join(folder, entry.name);
      if (entry.isDirectory()) return skipped.includes(entry.name) ? [] : filesUnder(name, pattern);
      return pattern.test(entry.name) ? [name] : [];
    })
    .sort();
}
