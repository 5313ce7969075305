// npm packages at their locked versions, with install scripts off (.npmrc).
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { npmCommand } from './npm.mjs';
import { freeMegabytes, root } from './paths.mjs';
import { run } from './run.mjs';
import { hash, hashFiles } from './steps.mjs';

/** @type {import('./steps.mjs').Step} */
export const packages = {
  name: 'npm packages',
  stamp: 'packages',
  megabytes: 1200,
  silent: true,
  fingerprint() {
    const { dependencies, devDependencies, overrides } = JSON.parse(
      fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
    );
    return hash(
      JSON.stringify({ dependencies, devDependencies, overrides }),
      hashFiles('package-lock.json', 'lib/package.json', '.npmrc'),
    );
  },
  makes: [path.join(root, 'node_modules/tslab'), path.join(root, 'node_modules/typescript')],
  async make() {
    const [command, ...words] = await npmCommand();
    await run(command, [...words, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: root,
      what: 'Installing npm packages',
      remedy: 'Check that the npm registry can be reached (npm ping), then run it again.',
    });
    // npm takes files that it could not write for a warning and says that all went well.
    if (freeMegabytes() < 16) throw Object.assign(new Error('npm filled the disk'), { code: 'ENOSPC' });
  },
};
