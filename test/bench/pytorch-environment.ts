// Installs PyTorch and transformers, which the benchmarks compare with, into their own Python environment.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';

/** Returns the Python of the environment, and installs it if needed; TUNEBOOK_BENCH_PYTHON selects an existing Python. */
export function findPyTorch(): string {
  const configured = process.env['TUNEBOOK_BENCH_PYTHON'];
  if (configured) return configured;
  const environment = path.join(root, '.tunebook/pytorch');
  const python = path.join(environment, 'bin/python');
  const requirements = path.join(root, 'test/bench/requirements.txt');
  const expected = fs.readFileSync(requirements, 'utf8');
  const stamp = path.join(environment, 'whole');
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== expected) {
    console.log('Installing PyTorch into .tunebook/pytorch …');
    for (const [command, argv] of [
      [process.env['TUNEBOOK_PYTHON'] ?? 'python3', ['-m', 'venv', '--clear', environment]],
      [python, ['-m', 'pip', 'install', '--quiet', '-r', requirements]],
    ] as const)
      if (spawnSync(command, argv, { stdio: 'inherit' }).status !== 0)
        throw new Error('PyTorch could not be installed; see the output above.');
    fs.writeFileSync(stamp, expected);
  }
  return python;
}
