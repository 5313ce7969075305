// danfo, without the libraries that it calls for a few functions only: mathjs for some statistics (median, std, describe), request and xlsx
// for reading addresses and Excel's files. They take three times as long to load as danfo itself. Each is loaded when it is first called.
// danfo loads TensorFlow; what must happen before it has happened when this line is through.
import '../tensorflow/runtime.js';
import { createRequire, Module } from 'node:module';
import type * as Danfo from 'danfojs-node';

// Its names are not seen by an import of an ES module.
const require = createRequire(import.meta.url);
const requireOfDanfo = createRequire(require.resolve('danfojs-node'));

type Library = Record<string | symbol, unknown> & ((...values: unknown[]) => unknown);

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

export const danfo = require('danfojs-node') as typeof Danfo;
