// Installs PyTorch, transformers, Infinity and setfit, which the benchmarks compare with, into their own Python environments.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';

/** Returns the Python of an environment with the given packages in .tunebook/NAME, and installs it if needed. */
function findEnvironment(name: string, requirements: string): string {
  const environment = path.join(root, '.tunebook', name);
  const python = path.join(environment, 'bin/python');
  const stamp = path.join(environment, 'whole');
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== requirements) {
    console.log(`Installing Python packages into .tunebook/${name} …`);
    for (const [command, argv] of [
      [process.env['TUNEBOOK_PYTHON'] ?? 'python3', ['-m', 'venv', '--clear', environment]],
      [python, ['-m', 'pip', 'install', '--quiet', ...requirements.trim().split('\n')]],
    ] as const)
      if (spawnSync(command, argv, { stdio: 'inherit' }).status !== 0)
        throw new Error(`The packages of ${name} could not be installed; see the output above.`);
    fs.writeFileSync(stamp, requirements);
  }
  return python;
}

const requirementsOf = (file: string) => fs.readFileSync(path.join(root, 'test/bench', file), 'utf8');

/**
 * Returns the Python with PyTorch and transformers; TUNEBOOK_BENCH_PYTHON selects an existing Python.
 * @param version version of PyTorch, which gets its own environment. @default that of requirements.txt
 */
export function findPyTorch(version?: string): string {
  const configured = process.env['TUNEBOOK_BENCH_PYTHON'];
  if (configured) return configured;
  const pinned = requirementsOf('requirements.txt');
  return version
    ? findEnvironment(`pytorch-${version}`, pinned.replace(/^torch==.*$/m, `torch==${version}`))
    : findEnvironment('pytorch', pinned);
}

/** Returns the Python with Infinity, which needs older packages than PyTorch's environment has. */
export const findInfinity = (): string => findEnvironment('infinity', requirementsOf('requirements-infinity.txt'));

/** Returns the Python with setfit. */
export const findSetfit = (): string => findEnvironment('setfit', requirementsOf('requirements-setfit.txt'));

/** Returns the versions of PyTorch and transformers of an environment. */
export function pytorchVersions(python: string): { pytorch: string; transformers: string } {
  const code = 'import torch, transformers; print(torch.__version__, transformers.__version__)';
  const [pytorch = '', transformers = ''] = spawnSync(python, ['-c', code], { encoding: 'utf8' })
    .stdout.trim()
    .split(' ');
  return { pytorch, transformers };
}
