// Installs npm packages at their locked versions, without install scripts (.npmrc).
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { npmCommand } from './npm.mjs';
import { freeMegabytes, root } from './paths.mjs';
import { run } from './run.mjs';
import { hash, hashFiles } from './hash.mjs';

/** @type {import('./steps.mjs').CheckoutStep} */
export const packages = {
  name: 'npm packages',
  id: 'packages',
  megabytes: 1200,
  silent: true,
  fingerprint() {
    const { dependencies, devDependencies, overrides } = JSON.parse(
      fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
    );
    return hash(
      JSON.stringify({ dependencies, devDependencies, overrides }),
      hashFiles('../package-lock.json', 'package.json', '../.npmrc'),
    );
  },
  outputs: [path.join(root, 'node_modules/tslab'), path.join(root, 'node_modules/typescript')],
  async make() {
    const [command, ...args] = await npmCommand();
    await run(command, [...args, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: root,
      what: 'Installing npm packages',
      remedy: 'Check that the npm registry can be reached (npm ping), then run the same command again.',
    });
    // npm only warns about files that it could not write, and exits with 0.
    if (freeMegabytes(root) < 16) throw Object.assign(new Error('npm filled the disk'), { code: 'ENOSPC' });
  },
};
