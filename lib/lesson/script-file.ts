/**
 * Files of the lesson page as scripts: compressed, in base64, in parts of a megabyte. Browsers load scripts from a folder on a disk
 * too, where they forbid reading other files; parts show how far loading is. app/files.ts reads them.
 */
import { gzipSync } from 'node:zlib';

/** Compressed bytes of a part. */
const partSize = 2 ** 20;

/**
 * Writes a file as scripts.
 * @param name by which the page requests the file
 * @returns the scripts, in order
 */
export function scriptFile(name: string, content: Uint8Array): string[] {
  const compressed = gzipSync(content, { level: 9 });
  return Array.from({ length: Math.ceil(compressed.length / partSize) }, (_, i) => {
    const part = compressed.subarray(i * partSize, (i + 1) * partSize).toString('base64');
    return `receiveFile(${JSON.stringify(name)},${i},"${part}")\n`;
  });
}
