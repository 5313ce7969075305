/** What a run ran on: for whoever asks later why two runs differ. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeDevice, type Device } from '../tensorflow/device.js';
import { version } from '../version.js';

/** The checkout's root. */
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** environment.json */
export interface RunEnvironment {
  tunebook: string;
  /** Commit of the checkout, and whether files were changed since; none where there is no git. */
  git: { commit: string; changed: boolean } | null;
  node: string;
  platform: string;
  device: Device;
  /** Versions of the packages that have a say in the result. */
  packages: Record<string, string>;
  /** The command line, from the command on. */
  argv: string[];
  /** Who trained together, where it was not one process alone. */
  ranks?: string[];
}

const packages = ['@huggingface/transformers', '@huggingface/tokenizers', '@tensorflow/tfjs-node-gpu', 'danfojs-node'];

function git(...argv: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', ['-C', root, ...argv], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** The commit of the checkout; none where there is no git. */
export const commitOfCheckout = (): string | undefined => git('rev-parse', 'HEAD');

/** @param ranks who train together; none for one process alone */
export function describeEnvironment(ranks?: string[], argv: string[] = process.argv.slice(2)): RunEnvironment {
  const commit = commitOfCheckout();
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return {
    tunebook: version,
    git: commit ? { commit, changed: git('status', '--porcelain') !== '' } : null,
    node: process.version,
    platform: `${os.type()} ${os.release()} ${os.arch()}`,
    device: describeDevice(),
    packages: Object.fromEntries(packages.map((name) => [name, dependencies[name]!])),
    argv,
    ...(ranks && { ranks }),
  };
}
