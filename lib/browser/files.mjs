// A file system in memory in place of node:fs in bundles for browsers: the functions by which models are loaded and saved. The
// program puts the files of a model in with writeFileSync and gets those of a saved one with readdirSync and readFileSync.
// memfs would do this too, but it needs 190 KB and streams, and copies a file at each of the hundred writes of a model.
// @ts-check
import { Buffer } from 'buffer/';

/** @type {Map<string, Uint8Array[]>} the parts of each file, in the order in which they were written */
const files = new Map();
/** @type {Map<number, string>} the files that are open */
const open = new Map();
let descriptors = 0;

/** @param {string} file @returns {Buffer} which shares the memory of the file */
function contentOf(file) {
  const parts = files.get(file);
  if (!parts) throw Object.assign(new Error(`ENOENT: no such file or directory, open '${file}'`), { code: 'ENOENT' });
  if (parts.length !== 1) parts.splice(0, parts.length, Buffer.concat(parts));
  const [{ buffer, byteOffset, byteLength }] = /** @type {[Uint8Array<ArrayBuffer>]} */ (parts);
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** @param {string} folder */
const pathsIn = (folder) => [...files.keys()].filter((file) => file.startsWith(`${folder}/`));

export default {
  /** @param {string} file */
  existsSync: (file) => files.has(file) || pathsIn(file).length > 0,

  /** @param {string} file @param {'utf8'} [encoding] */
  readFileSync: (file, encoding) => (encoding ? contentOf(file).toString(encoding) : contentOf(file)),

  /** Keeps the bytes, without a copy. @param {string | number} file or a descriptor, to append @param {string | Uint8Array} content */
  writeFileSync(file, content) {
    const part = typeof content === 'string' ? Buffer.from(content) : content;
    if (typeof file === 'string') files.set(file, [part]);
    else files.get(open.get(file) ?? '')?.push(part);
  },

  /** @param {string} folder */
  readdirSync: (folder) => [...new Set(pathsIn(folder).map((file) => file.slice(folder.length + 1).split('/')[0]))],

  /** @param {string} file @param {'r' | 'w'} mode */
  openSync(file, mode) {
    if (mode === 'w') files.set(file, []);
    else contentOf(file);
    open.set(++descriptors, file);
    return descriptors;
  },

  /** @param {number} descriptor @param {Uint8Array} target @param {number} offset @param {number} length @param {number} position */
  readSync(descriptor, target, offset, length, position) {
    const bytes = contentOf(open.get(descriptor) ?? '').subarray(position, position + length);
    target.set(bytes, offset);
    return bytes.length;
  },

  /** @param {number} descriptor */
  fstatSync: (descriptor) => ({ size: contentOf(open.get(descriptor) ?? '').length }),

  /** @param {number} descriptor */
  closeSync: (descriptor) => void open.delete(descriptor),

  /** @param {string} from @param {string} to */
  renameSync(from, to) {
    files.set(to, files.get(from) ?? []);
    files.delete(from);
  },

  /** Deletes a file or a folder. @param {string} file */
  rmSync: (file) => [file, ...pathsIn(file)].forEach((each) => files.delete(each)),

  mkdirSync() {},
  fsyncSync() {},
};
