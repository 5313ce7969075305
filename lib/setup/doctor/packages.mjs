// Compares each package in node_modules with package-lock.json. The stamp of set-up does not cover later changes.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { packages as step } from '../packages.mjs';
import { root } from '../paths.mjs';
import { isDone } from '../steps.mjs';
import { failed, ok, warning } from './finding.mjs';
import { repeatStep, setUp } from './remedies.mjs';

/**
 * @typedef {object} Locked an entry of package-lock.json
 * @property {string} version
 * @property {boolean} [optional]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {string[]} [libc]
 */

/**
 * Whether npm installs a package on this platform. An optional package with a platform is the native part of another.
 * @param {Locked} entry
 */
const isExpected = ({ optional, os, cpu, libc = ['glibc'] }) =>
  !optional || Boolean(os?.includes(process.platform) && cpu?.includes(process.arch) && libc.includes('glibc'));

/** @param {string} folder @returns {string | undefined} the installed version */
function installedVersion(folder) {
  try {
    return JSON.parse(fs.readFileSync(path.join(root, folder, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}

/** @type {import('./finding.mjs').Check} */
export const packages = {
  name: 'packages',
  about: 'npm packages: installed at the versions of package-lock.json',
  needs: ['node', 'npm', 'set-up'],
  examine() {
    const modules = path.join(root, 'node_modules');
    if (!fs.existsSync(modules)) return failed('node_modules is missing.', setUp);
    /** @type {[string, Locked][]} */
    const locked = Object.entries(JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages);
    const expected = locked.filter(([folder, entry]) => folder.startsWith('node_modules/') && isExpected(entry));
    const faults = expected.flatMap(([folder, { version }]) => {
      const found = installedVersion(folder);
      const name = folder.slice('node_modules/'.length);
      if (found === undefined) return [`${name} is missing`];
      // A link to a folder of the checkout has no version in the lock file.
      return version && found !== version ? [`${name} is ${found}, not ${version}`] : [];
    });
    const more = faults.length > 3 ? `, and ${faults.length - 3} more` : '';
    if (faults.length > 0) return failed(`${faults.slice(0, 3).join(', ')}${more}.`, repeatStep(step, modules));
    if (!isDone(step))
      return warning(
        `${expected.length} at the locked versions, but package.json or package-lock.json has changed since.`,
        setUp,
      );
    return ok(`${expected.length} at the versions of package-lock.json`);
  },
};
