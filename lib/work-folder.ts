/** Files that processes keep for each other in the checkout's `.tunebook`, such as measurements and compiled scripts. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The path of a file or folder in `.tunebook`. */
export const inWorkFolder = (name: string): string =>
  path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../.tunebook', name);

/**
 * Writes a file that other processes may be reading or writing: they see the old content or the new one, never a part.
 * @throws Error if the folder is read-only or the disk is full; nothing is left behind
 */
export function writeAtomically(file: string, content: string | Buffer): void {
  const aside = `${file}.${process.pid}`;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  try {
    fs.writeFileSync(aside, content);
    fs.renameSync(aside, file);
  } catch (error) {
    fs.rmSync(aside, { force: true });
    throw error;
  }
}
