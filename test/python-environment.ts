// Python packages that tests compare with, each set in an environment of its own, pinned and hashed, made when it is first needed.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './checkout.js';

/**
 * @param name of the environment below .tunebook
 * @param requirements a lock file with hashes, below test
 * @returns its Python
 */
export function pythonWith(name: string, requirements: string): string {
  const environment = path.join(root, '.tunebook', name);
  const python = path.join(environment, 'bin/python');
  const lock = path.join(root, 'test', requirements);
  const stamp = path.join(environment, 'whole');
  const wanted = fs.readFileSync(lock, 'utf8');
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted) return python;
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes'];
  for (const [command, argv] of [
    [process.env['TUNEBOOK_PYTHON'] ?? 'python3', ['-m', 'venv', '--clear', environment]],
    [python, [...install, '--only-binary=:all:', '-r', lock]],
  ] as const) {
    const { status, stderr } = spawnSync(command, argv, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${requirements} could not be installed:\n${stderr}`);
  }
  fs.writeFileSync(stamp, wanted);
  return python;
}
