// Creates .venv with JupyterLab and nbclient at pinned, hashed versions. The tslab kernel is registered only there.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { packageFolder, python, root, venv } from './paths.mjs';
import { installation } from './platform.mjs';
import { run } from './run.mjs';
import { hashFiles } from './hash.mjs';
import { kernelName, kernelSpecification } from './kernel-specification.mjs';
import { findPython } from './tools.mjs';

const lock = 'setup/requirements.txt';

/** @type {import('./steps.mjs').CheckoutStep} */
export const pythonEnvironment = {
  name: 'Python environment with JupyterLab',
  id: 'python',
  megabytes: 400,
  silent: true,
  fingerprint: () => hashFiles(lock),
  outputs: [python, path.join(venv, 'bin/jupyter-lab')],
  async make() {
    const base = findPython();
    fs.rmSync(venv, { recursive: true, force: true });
    await run(base, ['-m', 'venv', venv], {
      what: 'Creating .venv',
      remedy: installation('python3-venv', 'brew install python'),
    });
    await run(
      python,
      [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '--require-hashes',
        '--only-binary=:all:',
        '-r',
        path.join(packageFolder, lock),
      ],
      {
        what: 'Installing JupyterLab into .venv',
        remedy: 'Check that the Python package index can be reached (see pip config list), then run the command again.',
      },
    );
    // JupyterLab's yarn is a CommonJS file. Without this, Node would treat it as an ES module, as package.json of the
    // checkout specifies.
    fs.writeFileSync(path.join(venv, 'package.json'), '{ "type": "commonjs" }\n');
    // JupyterLab would ask the package index for updates, and each new user whether to fetch news.
    const settings = path.join(venv, 'share/jupyter/lab/settings');
    const notification = { checkForUpdates: false, fetchNews: 'false' };
    fs.mkdirSync(settings, { recursive: true });
    fs.writeFileSync(
      path.join(settings, 'overrides.json'),
      JSON.stringify({ '@jupyterlab/apputils-extension:notification': notification }),
    );
  },
};

/** Kernel specification of Jupyter; written again when the path of Node changes. */
export const kernelFile = path.join(venv, 'share/jupyter/kernels', kernelName, 'kernel.json');
const specification = () => kernelSpecification(path.join(root, 'node_modules/tslab'));

/** @type {import('./steps.mjs').CheckoutStep} */
export const kernel = {
  name: 'tslab kernel',
  id: 'kernel',
  fingerprint: specification,
  outputs: [kernelFile],
  async make() {
    fs.mkdirSync(path.dirname(kernelFile), { recursive: true });
    fs.writeFileSync(`${kernelFile}.new`, specification());
    fs.renameSync(`${kernelFile}.new`, kernelFile);
  },
};
