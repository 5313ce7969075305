/**
 * Loads danfo when it is first needed, without the libraries that few of its functions need: mathjs for some statistics
 * (median, std, describe), request and xlsx for web addresses and Excel files. They take three times as long to load as danfo
 * itself, so each is loaded on its first use.
 */
// danfo loads TensorFlow, which runtime.js must have prepared.
import '../tensorflow/runtime.js';
import { createRequire, Module } from 'node:module';
import type * as Danfo from 'danfojs-node';

// Its names are not seen by an import of an ES module.
const require = createRequire(import.meta.url);
const requireOfDanfo = createRequire(require.resolve('danfojs-node'));

type Library = Record<string | symbol, unknown> & ((...values: unknown[]) => unknown);

let loaded: typeof Danfo | undefined;

function load(): typeof Danfo {
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
