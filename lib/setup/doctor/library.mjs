// lib/dist, compiled from the sources as they are.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { compiledLibrary } from '../compile.mjs';
import { root } from '../paths.mjs';
import { filesUnder, madeFrom } from '../steps.mjs';
import { failed, ok } from './finding.mjs';
import { setUp } from './remedies.mjs';

const dist = path.join(root, 'lib/dist');

/** @type {import('./finding.mjs').Check} */
export const library = {
  name: 'library',
  about: 'lib/dist: compiled from the present sources',
  needs: ['packages'],
  examine() {
    const sources = filesUnder('lib', /(?<!\.d)\.ts$/);
    const missing = sources
      .map((file) => `lib/dist/${path.relative('lib', file).replace(/\.ts$/, '.js')}`)
      .filter((file) => !fs.existsSync(path.join(root, file)));
    const stamp = madeFrom(compiledLibrary);
    const remedy = missing.length > 0 ? compileAgain() : setUp;
    if (!fs.existsSync(dist)) return failed('lib/dist is missing.', remedy);
    if (stamp === undefined) return failed('lib/dist was not compiled to its end.', remedy);
    if (stamp !== compiledLibrary.fingerprint())
      return failed('lib/dist was compiled from other sources than the present ones.', remedy);
    if (missing.length > 0) return failed(`${missing[0]} is missing.`, remedy);
    return ok(`${sources.length} files, compiled from the present sources`);
  },
};

/** The compiler passes over files that are gone as long as its notes say that they are compiled, so its notes must go too. */
function compileAgain() {
  const notes = ['lib/dist', 'lib/tsconfig.tsbuildinfo'].filter((file) => fs.existsSync(path.join(root, file)));
  return notes.length > 0 ? `rm -r ${notes.join(' ')} && ${setUp}` : setUp;
}
