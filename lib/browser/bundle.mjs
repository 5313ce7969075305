// Bundles code of the library for browsers: with tfjs's own backends instead of TensorFlow's library, and files in memory instead
// of the disk, so that models are loaded and saved by the same code. The other modules are the same.
//
// Not a condition of package.json's imports: the compiler of tslab does not resolve these in declarations, so that notebooks
// would lose the types of tensors and variables.
// @ts-check
import path from 'node:path';
import { packageFolder } from '../setup/paths.mjs';

const compiled = path.join(packageFolder, 'dist');
const inBrowser = path.join(packageFolder, 'browser/modules.mjs');

/** Compiled modules, and those that take their place. */
const onTfjs = Object.fromEntries(
  ['fused-kernels', 'function', 'kernels', 'precision', 'runtime', 'variables', 'xla'].map((name) => [
    path.join(compiled, `tensorflow/${name}.js`),
    path.join(compiled, `tensorflow/tfjs/${name}.js`),
  ]),
);

/**
 * An esbuild plugin that replaces modules.
 * @param {Record<string, string>} replacements by absolute path
 * @returns {import('esbuild').Plugin}
 */
const replacing = (replacements) => ({
  name: 'replacements',
  setup(build) {
    build.onLoad({ filter: /[.]js$/ }, ({ path: file }) => {
      const replacement = replacements[file];
      return replacement ? { contents: `export * from ${JSON.stringify(replacement)}` } : undefined;
    });
  },
});

/**
 * Options of esbuild for Node: tfjs's backends, with Node's file system. For tests.
 * @type {import('esbuild').BuildOptions}
 */
export const tfjsInNode = {
  bundle: true,
  // Where the packages are resolved that take the place of others.
  absWorkingDir: packageFolder,
  format: 'esm',
  platform: 'node',
  mainFields: ['module', 'main'],
  target: 'es2022',
  logLevel: 'warning',
  // What CommonJS packages expect.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url), __dirname = import.meta.dirname;",
  },
  plugins: [
    replacing({
      ...onTfjs,
      [path.join(compiled, 'model/fetch-model.js')]: inBrowser,
      [path.join(compiled, 'training/jit-compile.js')]: inBrowser,
    }),
  ],
};

/**
 * Options of esbuild for pages and workers. Code that is bundled imports compiled modules of the library (#lib/…), and
 * `node:fs` for the file system in memory.
 * @type {import('esbuild').BuildOptions}
 */
export const tfjsInBrowser = {
  ...tfjsInNode,
  platform: 'browser',
  mainFields: ['browser', 'module', 'main'],
  minify: true,
  banner: {},
  inject: [path.join(packageFolder, 'browser/globals.mjs')],
  alias: {
    'node:crypto': inBrowser,
    'node:fs': path.join(packageFolder, 'browser/files.mjs'),
    'node:path': 'path-browserify',
  },
};
