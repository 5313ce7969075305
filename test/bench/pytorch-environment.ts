// Installs PyTorch and transformers, which the benchmarks compare with, into their own Python environment.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';

/**
 * Returns the Python of the environment, and installs it if needed; TUNEBOOK_BENCH_PYTHON selects an existing Python.
 * @param version version of PyTorch, which gets its own environment. @default that of requirements.txt
 */
export function findPyTorch(version?: string): string {
  const configured = process.env['TUNEBOOK_BENCH_PYTHON'];
  if (configured) return configured;
  const name = version ? `pytorch-${version}` : 'pytorch';
  const environment = path.join(root, '.tunebook', name);
  const python = path.join(environment, 'bin/python');
  const pinned = fs.readFileSync(path.join(root, 'test/bench/requirements.txt'), 'utf8');
  const expected = version ? pinned.replace(/^torch==.*$/m, `torch==${version}`) : pinned;
  const stamp = path.join(environment, 'whole');
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== expected) {
    console.log(`Installing PyTorch into .tunebook/${name} …`);
    for (const [command, argv] of [
      [process.env['TUNEBOOK_PYTHON'] ?? 'python3', ['-m', 'venv', '--clear', environment]],
      [python, ['-m', 'pip', 'install', '--quiet', ...expected.trim().split('\n')]],
    ] as const)
      if (spawnSync(command, argv, { stdio: 'inherit' }).status !== 0)
        throw new Error('PyTorch could not be installed; see the output above.');
    fs.writeFileSync(stamp, expected);
  }
  return python;
}

/** Returns the versions of PyTorch and transformers of an environment. */
export function pytorchVersions(python: string): { pytorch: string; transformers: string } {
  const code = 'import torch, transformers; print(torch.__version__, transformers.__version__)';
  const [pytorch = '', transformers = ''] = spawnSync(python, ['-c', code], { encoding: 'utf8' })
    .stdout.trim()
    .split(' ');
  return { pytorch, transformers };
}
