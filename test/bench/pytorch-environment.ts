// PyTorch's CPU build and transformers, in an environment of their own, for what is measured against them.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';

/** The environment's Python; TUNEBOOK_BENCH_PYTHON names one that is there already. */
export function findPyTorch(): string {
  const named = process.env['TUNEBOOK_BENCH_PYTHON'];
  if (named) return named;
  const environment = path.join(root, '.tunebook/pytorch');
  const python = path.join(environment, 'bin/python');
  const requirements = path.join(root, 'test/bench/requirements.txt');
  const wanted = fs.readFileSync(requirements, 'utf8');
  const stamp = path.join(environment, 'whole');
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== wanted) {
    console.log('Setting up PyTorch in an environment of its own …');
    for (const [command, argv] of [
      [process.env['TUNEBOOK_PYTHON'] ?? 'python3', ['-m', 'venv', '--clear', environment]],
      [python, ['-m', 'pip', 'install', '--quiet', '-r', requirements]],
    ] as const)
      if (spawnSync(command, argv, { stdio: 'inherit' }).status !== 0)
        throw new Error('PyTorch could not be installed; see above.');
    fs.writeFileSync(stamp, wanted);
  }
  return python;
}
