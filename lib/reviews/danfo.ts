// danfo, without mathjs: loading mathjs takes longer than all the rest of danfo, which calls it for a few statistics only (median, mode,
// std, variance, describe). It is loaded when one of them is first called.
// danfo loads TensorFlow; what must happen before it has happened when this line is through.
import '../tensorflow/runtime.js';
import { createRequire, Module } from 'node:module';
import type * as Danfo from 'danfojs-node';

// Its names are not seen by an import of an ES module.
const require = createRequire(import.meta.url);

const requireOfDanfo = createRequire(require.resolve('danfojs-node'));
const file = requireOfDanfo.resolve('mathjs');
if (!require.cache[file]) {
  let mathjs: Record<string | symbol, unknown> | undefined;
  const placeholder = new Module(file);
  placeholder.loaded = true;
  placeholder.exports = new Proxy(
    {},
    {
      get(_, name) {
        if (require.cache[file] === placeholder) delete require.cache[file];
        mathjs ??= requireOfDanfo(file) as Record<string | symbol, unknown>;
        return mathjs[name];
      },
    },
  );
  require.cache[file] = placeholder;
}

export const danfo = require('danfojs-node') as typeof Danfo;
