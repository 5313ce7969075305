// Python packages that tests compare with, each set in an environment of its own, pinned and hashed. `npm test` makes those of the chosen
// files before the first test; a file that is run alone makes its own.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './checkout.js';

/** Environments below .tunebook, and the folder of the tests that use each; there lies its lock file, with hashes. */
export const environments = {
  linters: 'environment',
  onnxruntime: 'export',
  launch: 'distributed',
  papermill: 'notebook',
  mlflow: 'tracking',
};

/** The environment's Python; makes the environment if it is missing or its lock file has changed. */
export function pythonWith(name: keyof typeof environments): string {
  const environment = path.join(root, '.tunebook', name);
  const python = path.join(environment, 'bin/python');
  const requirements = `test/${environments[name]}/requirements.txt`;
  const lock = path.join(root, requirements);
  const stamp = path.join(environment, 'whole');
  const wanted = fs.readFileSync(lock, 'utf8');
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted) return python;
  console.error(`Installing ${requirements} into .tunebook/${name} …`);
  // The project's own pip installs for that Python: putting one into each environment takes longer than most of the packages.
  const pip = ['-m', 'pip', '--python', python, 'install', '--quiet', '--disable-pip-version-check'];
  // Most modules are never imported: Python compiles those that are.
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
  fs.writeFileSync(stamp, wanted);
  return python;
}
