// Compiles lib/dist, the package that notebooks import, and test/dist.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { root } from './paths.mjs';
import { run } from './run.mjs';
import { filesUnder, hashFiles } from './steps.mjs';

const tsc = path.join(root, 'node_modules/typescript/bin/tsc');

/**
 * @param {string} name
 * @param {string} stamp
 * @param {string} project
 * @param {string[]} folders with the sources
 * @param {string} result path of an output file
 * @returns {import('./steps.mjs').Step}
 */
const compilation = (name, stamp, project, folders, result) => ({
  name,
  stamp,
  fingerprint: () =>
    hashFiles(
      'tsconfig.json',
      'package-lock.json',
      ...folders.flatMap((folder) => filesUnder(folder, /\.ts$|^tsconfig\.json$/)),
    ),
  outputs: [path.join(root, result)],
  make: () =>
    // tsc keeps its build info outside the output folder and would treat a deleted folder as up to date.
    run(process.execPath, [tsc, '-b', ...(fs.existsSync(path.join(root, result)) ? [] : ['--force']), project], {
      cwd: root,
      what: `Compiling ${folders.at(-1)}`,
      remedy: 'Fix the errors above.',
    }),
});

export const compiledLibrary = compilation('compiled library', 'lib', 'tsconfig.json', ['lib'], 'lib/dist/index.js');
export const compiledTests = compilation('compiled tests', 'test', 'test', ['lib', 'test'], 'test/dist/run.js');
