// Whether the Python in .venv starts, which fails if its base Python was removed, and whether its packages have the
// locked versions.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { python, setupFolder, venv as folder } from '../paths.mjs';
import { pythonEnvironment } from '../python.mjs';
import { describeFailure, runProgram } from './ask.mjs';
import { failed, ok, warning } from './finding.mjs';
import { repeatStep, setUp } from './remedies.mjs';
import { isDone } from '../steps.mjs';

/** Modules that Tunebook's commands use. */
const modules = ['jupyterlab', 'jupyter_client', 'nbclient', 'nbconvert'];

/** Prevents Python from writing bytecode files. */
export const noBytecode = { PYTHONDONTWRITEBYTECODE: '1' };

/** @type {import('./finding.mjs').Check} */
export const venv = {
  name: 'venv',
  about: '.venv: its Python starts, JupyterLab has the locked versions',
  needs: ['python', 'set-up'],
  async examine() {
    if (!fs.existsSync(folder)) return failed('.venv is missing.', setUp);
    const result = await runProgram(
      python,
      [path.join(setupFolder, 'doctor/venv.py'), path.join(setupFolder, 'requirements.txt'), ...modules],
      // Importing JupyterLab takes long on a slow disk, but creating .venv again takes longer.
      { seconds: 60, env: noBytecode },
    );
    const remedy = repeatStep(pythonEnvironment, folder);
    if (result.status !== 0) return failed(`.venv/bin/python ${describeFailure(result)}.`, remedy);
    /** @type {{ python: string, packages: number, faults: string[] }} */
    const { python: version, packages, faults } = JSON.parse(result.stdout.trim().split('\n').pop() ?? '');
    const more = faults.length > 3 ? `, and ${faults.length - 3} more` : '';
    if (faults.length > 0) return failed(`${faults.slice(0, 3).join(', ')}${more}.`, remedy);
    const description = `Python ${version}, ${packages} packages at the locked versions`;
    return isDone(pythonEnvironment)
      ? ok(description)
      : warning(`${description}, but their installation did not finish.`, remedy);
  },
};
