// Compiles lib/dist, the package that notebooks import, and test/dist.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { root } from './paths.mjs';
import { run } from './run.mjs';
import { filesUnder, hashFiles } from './hash.mjs';

const tsc = path.join(root, 'node_modules/typescript/bin/tsc');

/**
 * @param {string} name
 * @param {string} id
 * @param {string[]} projects of the compiler
 * @param {string[]} folders with the sources, relative to the package
 * @param {string} result path of an output file
 * @returns {import('./steps.mjs').CheckoutStep}
 */
const compilation = (name, id, projects, folders, result) => ({
  name,
  id,
  fingerprint: () =>
    hashFiles(
      '../tsconfig.json',
      '../package-lock.json',
      ...folders.flatMap((folder) => filesUnder(folder, /\.ts$|^tsconfig\.json$/)),
    ),
  outputs: [path.join(root, result)],
  make: () =>
    // tsc keeps its build info outside the output folder and would treat a deleted folder as up to date.
    run(process.execPath, [tsc, '-b', ...(fs.existsSync(path.join(root, result)) ? [] : ['--force']), ...projects], {
      cwd: root,
      what: `Compiling the ${name}`,
      remedy: 'Fix the errors above.',
    }),
});

/** The package, and the scripts of the lesson page, which use its modules. */
const library = ['tsconfig.json', 'lib/lesson/app'];
export const compiledLibrary = compilation('compiled library', 'lib', library, ['.'], 'lib/dist/index.js');
export const compiledTests = compilation('compiled tests', 'test', ['test'], ['.', '../test'], 'test/dist/run.js');
