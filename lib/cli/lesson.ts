/** `tunebook lesson build FOLDER`: writes the lesson page. */
import path from 'node:path';
import { size } from '../figures/format.js';
import { buildLesson } from '../lesson/build.js';

/** Builds the page and prints what was written. @throws FileError if the folder contains something else */
export async function writeLesson(folder: string): Promise<void> {
  const { files, bytes, firstBytes } = await buildLesson(folder);
  console.log(
    `${folder}: ${files} files, ${size(bytes)}. The page can be used after the first ${size(firstBytes)}; the rest loads meanwhile.\n` +
      `Open ${path.join(folder, 'index.html')} in a browser, or copy the folder to a web server, GitHub Pages or a USB stick.`,
  );
}
