// Whether lib/dist is complete and compiled from the current sources.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { compiledLibrary } from '../compile.mjs';
import { root } from '../paths.mjs';
import { filesUnder, storedFingerprint } from '../steps.mjs';
import { failed, ok } from './finding.mjs';
import { setUp } from './remedies.mjs';

const dist = path.join(root, 'lib/dist');

/** @type {import('./finding.mjs').Check} */
export const library = {
  name: 'library',
  about: 'lib/dist: compiled from the current sources',
  needs: ['packages'],
  examine() {
    const sources = filesUnder('lib', /(?<!\.d)\.ts$/);
    const missing = sources
      .map((file) => `lib/dist/${path.relative('lib', file).replace(/\.ts$/, '.js')}`)
      .filter((file) => !fs.existsSync(path.join(root, file)));
    const stamp = storedFingerprint(compiledLibrary);
    const remedy = missing.length > 0 ? recompile() : setUp;
    if (!fs.existsSync(dist)) return failed('lib/dist is missing.', remedy);
    if (stamp === undefined) return failed('The compilation of lib/dist did not finish.', remedy);
    if (stamp !== compiledLibrary.fingerprint())
      return failed('lib/dist is out of date: its sources have changed since it was compiled.', remedy);
    if (missing.length > 0) return failed(`${missing[0]} is missing.`, remedy);
    return ok(`${sources.length} files, compiled from the current sources`);
  },
};

/** Deletes the build info too: with it, the compiler does not notice that compiled files are missing. */
function recompile() {
  const paths = ['lib/dist', 'lib/tsconfig.tsbuildinfo'].filter((file) => fs.existsSync(path.join(root, file)));
  return paths.length > 0 ? `rm -r ${paths.join(' ')} && ${setUp}` : setUp;
}
