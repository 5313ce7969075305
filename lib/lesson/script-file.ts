/**
 * Files of the lesson page as scripts: compressed, in base64, in parts of a megabyte. Browsers load scripts from a folder on a disk
 * too, where they forbid reading other files; parts show how far loading is. app/files.ts reads them.
 */
import { gzipSync } from 'node:zlib';

/** Compressed bytes of a part. */
const partSize = 2 ** 20;

/** A file as scripts. */
export interface ScriptFile {
  /** The scripts, in order. */
  parts: string[];
  /** Size of the file in bytes. */
  bytes: number;
}

/**
 * Writes a file as scripts.
 * @param name by which the page requests the file
 */
export function scriptFile(name: string, content: Uint8Array): ScriptFile {
  const compressed = gzipSync(content, { level: 9 });
  const parts = Array.from({ length: Math.ceil(compressed.length / partSize) }, (_, i) => {
    const part = compressed.subarray(i * partSize, (i + 1) * partSize).toString('base64');
    return `receiveFile(${JSON.stringify(name)},${i},"${part}")\n`;
  });
  return { parts, bytes: content.length };
}
