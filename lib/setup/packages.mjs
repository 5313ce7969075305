// npm packages at their locked versions, with install scripts off (.npmrc).
// @ts-check
import path from 'node:path';
import { root } from './paths.mjs';
import { run } from './run.mjs';
import { hashFiles } from './steps.mjs';

/** @type {import('./steps.mjs').Step} */
export const packages = {
  name: 'npm packages',
  stamp: 'packages',
  silent: true,
  fingerprint: () => hashFiles('package-lock.json', 'package.json', '.npmrc'),
  makes: [path.join(root, 'node_modules/tslab'), path.join(root, 'node_modules/typescript')],
  make: () =>
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: root,
      what: 'Installing npm packages',
      remedy: 'Check that the npm registry can be reached (npm ping), then run it again.',
    }),
};
