/** Files that processes share in the checkout's `.tunebook`, such as measurements and compiled scripts. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The path of a file or folder in `.tunebook`. */
export const inWorkFolder = (name: string): string =>
  path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../.tunebook', name);

/**
 * Writes a file atomically: processes that read it at the same time see either the old content or the new one.
 * @throws Error if the folder is read-only or the disk is full; the temporary file is deleted
 */
export function writeAtomically(file: string, content: string | Buffer): void {
  const temporary = `${file}.${process.pid}`;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  try {
    fs.writeFileSync(temporary, content);
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}
