// Paths that set-up writes to. All are inside the checkout and ignored by git.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const setupFolder = path.join(root, 'lib/setup');
/** Unfinished downloads and one stamp per finished step. */
export const workFolder = path.join(root, '.tunebook');
export const venv = path.join(root, '.venv');
export const python = path.join(venv, 'bin/python');
export const embeddedFolder = path.join(root, 'data/embedded');
export const tensorflowFolder = path.join(workFolder, 'tensorflow');
export const addonPackage = path.join(root, 'node_modules/@tensorflow/tfjs-node-gpu');

/** Free space on the disk of the checkout, in MB. */
export function freeMegabytes() {
  const { bavail, bsize } = fs.statfsSync(root);
  return (bavail * bsize) / 1e6;
}
