/** The environment of a run: versions, device and command line, to explain differences between runs. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isCheckout, packageFolder, root } from '#setup/paths.mjs';
import { describeDevice, type Device } from '../tensorflow/device.js';
import { version } from '../version.js';

/** The content of environment.json. */
export interface RunEnvironment {
  tunebook: string;
  /** Commit of the checkout or of the current project, and whether files have changed since; null if there is none. */
  git: { commit: string; changed: boolean } | null;
  node: string;
  platform: string;
  device: Device;
  /** Versions of the packages that affect the result. */
  packages: Record<string, string>;
  /** The command line, without the program. */
  argv: string[];
  /** The ranks that trained together; absent for a single process. */
  ranks?: string[];
}

const packages = ['@huggingface/transformers', '@huggingface/tokenizers', '@tensorflow/tfjs-node-gpu', 'danfojs-node'];

function git(...argv: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', ['-C', isCheckout ? root : process.cwd(), ...argv], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** The commit of the checkout or of the current project; undefined if there is none. */
export const commitOfCheckout = (): string | undefined => git('rev-parse', 'HEAD');

/**
 * Describes the environment of this process.
 * @param ranks the ranks that train together; undefined for a single process
 */
export function describeEnvironment(ranks?: string[], argv: string[] = process.argv.slice(2)): RunEnvironment {
  const commit = commitOfCheckout();
  const dependencies = Object.assign(
    {},
    ...[packageFolder, ...(isCheckout ? [root] : [])].map((folder) => {
      const file = path.join(folder, 'package.json');
      return (JSON.parse(fs.readFileSync(file, 'utf8')) as { dependencies: object }).dependencies;
    }),
  ) as Record<string, string>;
  return {
    tunebook: version,
    git: commit ? { commit, changed: git('status', '--porcelain') !== '' } : null,
    node: process.version,
    platform: `${os.type()} ${os.release()} ${os.arch()}`,
    device: describeDevice(),
    packages: Object.fromEntries(packages.flatMap((name) => (dependencies[name] ? [[name, dependencies[name]]] : []))),
    argv,
    ...(ranks && { ranks }),
  };
}
