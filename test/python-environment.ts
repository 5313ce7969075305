// Installs the Python packages that tests need. Each set has its own environment, with pinned versions and hashes. `npm test`
// creates the environments of the selected test files before the first test; a test file that is run directly creates its own.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './checkout.js';

/** Environments in .tunebook, and the test folder that uses each of them and contains its lock file. */
export const environments = {
  linters: 'environment',
  onnxruntime: 'export',
  launch: 'distributed',
  notebook: 'notebook',
  mlflow: 'tracking',
};

/** Returns the Python of an environment, which is created if it is missing or its lock file has changed. */
export function pythonWith(name: keyof typeof environments): string {
  const environment = path.join(root, '.tunebook', name);
  const python = path.join(environment, 'bin/python');
  const requirements = `test/${environments[name]}/requirements.txt`;
  const lock = path.join(root, requirements);
  const stamp = path.join(environment, 'whole');
  const expected = fs.readFileSync(lock, 'utf8');
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === expected) return python;
  console.error(`Installing ${requirements} into .tunebook/${name} …`);
  // Uses the pip of .venv: installing pip into each environment takes longer than most of the packages.
  const pip = ['-m', 'pip', '--python', python, 'install', '--quiet', '--disable-pip-version-check'];
  // --no-compile, since most modules are never imported; Python compiles the others on import.
  for (const [command, argv] of [
    [process.env['TUNEBOOK_PYTHON'] ?? 'python3', ['-m', 'venv', '--clear', '--without-pip', environment]],
    [
      path.join(root, '.venv/bin/python'),
      [...pip, '--require-hashes', '--only-binary=:all:', '--no-compile', '-r', lock],
    ],
  ] as const) {
    const { status, stderr } = spawnSync(command, argv, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${requirements} could not be installed:\n${stderr}`);
  }
  fs.writeFileSync(stamp, expected);
  return python;
}
