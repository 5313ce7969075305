/** Files that processes share, such as measurements and compiled scripts. */
import fs from 'node:fs';
import path from 'node:path';
import { workFolder } from '#setup/paths.mjs';

/** The path of a file or folder in the checkout's `.tunebook`; without a checkout, in the per-user cache. */
export const inWorkFolder = (name: string): string => path.join(workFolder, name);

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
