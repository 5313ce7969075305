// Paths that set-up reads and writes. The same code sets up a checkout and the installed npm package.
// @ts-check
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const setupFolder = path.dirname(fileURLToPath(import.meta.url));
/** Folder of the package `tunebook`; in a checkout, `lib`. */
export const packageFolder = path.dirname(setupFolder);
/** Root of the checkout; of the installed package, the folder that contains it. */
export const root = path.dirname(packageFolder);
const workspace = path.join(root, 'package.json');
/** Whether this is a checkout, not an installed package. */
export const isCheckout =
  fs.existsSync(workspace) && JSON.parse(fs.readFileSync(workspace, 'utf8')).name === 'tunebook-workspace';

/** The command that sets up, for messages. */
export const setUpCommand = isCheckout ? 'npm run setup' : 'npx tunebook setup';

const { XDG_CACHE_HOME = '' } = process.env;
/** XDG ignores relative paths too (specifications.freedesktop.org/basedir-spec). */
const cacheHome = path.isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : path.join(os.homedir(), '.cache');
/** TensorFlow, its addon, the embedded model and reviews, shared by all checkouts and projects of a user. */
export const cacheFolder = path.join(cacheHome, 'tunebook');

/** Measurements and, in a checkout, tools and one stamp per finished step; git ignores it. */
export const workFolder = isCheckout ? path.join(root, '.tunebook') : cacheFolder;
export const venv = path.join(root, '.venv');
export const python = path.join(venv, 'bin/python');

/** Pinned files on the Python package index. */
export const sourcesFile = path.join(isCheckout ? root : packageFolder, 'data/sources.json');

/** The folder, or the nearest one above it that exists. @param {string} folder @returns {string} */
const existing = (folder) => (fs.existsSync(folder) ? folder : existing(path.dirname(folder)));

/** Whether two folders are on the same disk. @param {string} a @param {string} b */
export const isSameDisk = (a, b) => fs.statSync(existing(a)).dev === fs.statSync(existing(b)).dev;

/** Free space on the disk of a folder, in MB. @param {string} folder */
export function freeMegabytes(folder) {
  const { bavail, bsize } = fs.statfsSync(existing(folder));
  return (bavail * bsize) / 1e6;
}
