/**
 * Loads danfo when it is first needed, without the libraries that few of its functions need: mathjs for some statistics
 * (median, std, describe), request and xlsx for web addresses and Excel files. They take three times as long to load as danfo
 * itself, so each is loaded on its first use.
 */
import { createRequire, Module } from 'node:module';
import type * as Danfo from 'danfojs-node';
import { FileError } from '../errors.js';
import { tf } from '../tensorflow/runtime.js';

// Its names are not seen by an import of an ES module.
const require = createRequire(import.meta.url);

type Library = Record<string | symbol, unknown> & ((...values: unknown[]) => unknown);

let loaded: typeof Danfo | undefined;

/** The path of danfo, which the npm package leaves to the user to install: only tables in notebooks need it. */
function resolveDanfo(): string {
  try {
    return require.resolve('danfojs-node');
  } catch {
    throw new FileError(
      'FILE_NOT_FOUND',
      'Tables of reviews need the package danfojs-node, which is not installed. Run: npm install --ignore-scripts danfojs-node',
      { path: 'danfojs-node' },
    );
  }
}

function load(): typeof Danfo {
  const requireOfDanfo = createRequire(resolveDanfo());
  // danfo asks for tfjs-node and gets the TensorFlow of this process.
  const tfjs = requireOfDanfo.resolve('@tensorflow/tfjs-node');
  require.cache[tfjs] = Object.assign(new Module(tfjs), { loaded: true, exports: tf });
  for (const name of ['mathjs', 'request', 'xlsx']) {
    const file = requireOfDanfo.resolve(name);
    if (require.cache[file]) continue;
    const placeholder = new Module(file);
    let library: Library | undefined;
    const load = () => {
      if (require.cache[file] === placeholder) delete require.cache[file];
      return (library ??= requireOfDanfo(file) as Library);
    };
    placeholder.loaded = true;
    placeholder.exports = new Proxy(() => {}, {
      // What compiled modules ask of each other when they are loaded; of these none is one.
      get: (_, key) => (key === '__esModule' ? undefined : load()[key]),
      apply: (_, __, values: unknown[]) => load()(...values),
    });
    require.cache[file] = placeholder;
  }
  return require('danfojs-node') as typeof Danfo;
}

export const danfo = (): typeof Danfo => (loaded ??= load());
