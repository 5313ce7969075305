/** Folders that are complete or do not exist: a result that is being written never takes the place of one that is there. */
import fs from 'node:fs';
import path from 'node:path';

/**
 * Writes a folder next to where it belongs, and renames it when it is complete.
 * @param folder is replaced
 * @param write writes the content into the given temporary folder, which it creates
 */
export function replaceFolder(folder: string, write: (partialFolder: string) => void): void {
  const target = path.resolve(folder);
  const partialFolder = path.join(path.dirname(target), `.${path.basename(target)}.partial`);
  fs.rmSync(partialFolder, { recursive: true, force: true });
  write(partialFolder);
  fs.rmSync(target, { recursive: true, force: true });
  fs.renameSync(partialFolder, target);
}
