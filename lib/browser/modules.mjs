// What takes the place of modules that need Node, or TensorFlow's library, in a bundle for browsers.
// @ts-check
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/**
 * Models are folders of the file system in memory: nothing is downloaded.
 * @type {typeof import('../model/fetch-model.js').fetchModel}
 */
export const fetchModel = async (folder) => ({ folder, name: folder, notes: [], files: [] });

/**
 * There is no XLA.
 * @type {typeof import('../training/jit-compile.js').chooseJitCompile}
 */
export const chooseJitCompile = () => Promise.resolve({ jitCompile: false });

/**
 * The hashes of node:crypto that fingerprints of rows and checkpoints use.
 * @param {'sha256'} _name
 */
export function createHash(_name) {
  const hash = sha256.create();
  return {
    /** @param {string | NodeJS.ArrayBufferView} data */
    update(data) {
      hash.update(
        typeof data === 'string' ? utf8ToBytes(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      );
      return this;
    },
    /** @param {'hex'} _encoding */
    digest: (_encoding) => bytesToHex(hash.digest()),
  };
}
