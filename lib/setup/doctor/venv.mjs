// .venv: its Python starts although the one that it was made from may have gone, and what is in it is what was locked.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { python, setupFolder, venv as folder } from '../paths.mjs';
import { pythonEnvironment } from '../python.mjs';
import { ask, wordsOf } from './ask.mjs';
import { failed, ok, warning } from './finding.mjs';
import { makeAgain, setUp } from './remedies.mjs';
import { isDone } from '../steps.mjs';

/** Those that set-up's commands begin with. */
const modules = ['jupyterlab', 'jupyter_client', 'nbclient', 'nbconvert'];

/** Python writes no bytecode beside what it imports. */
export const leaveNothing = { PYTHONDONTWRITEBYTECODE: '1' };

/** @type {import('./finding.mjs').Check} */
export const venv = {
  name: 'venv',
  about: '.venv: its Python starts, JupyterLab is there at the locked versions',
  needs: ['python', 'set-up'],
  async examine() {
    if (!fs.existsSync(folder)) return failed('.venv is missing.', setUp);
    const answer = await ask(
      python,
      [path.join(setupFolder, 'doctor/venv.py'), path.join(setupFolder, 'requirements.txt'), ...modules],
      // JupyterLab's import takes long on a slow disk, and the remedy takes longer.
      { seconds: 60, env: leaveNothing },
    );
    const remedy = makeAgain(pythonEnvironment, folder);
    if (answer.status !== 0) return failed(`.venv/bin/python ${wordsOf(answer)}.`, remedy);
    /** @type {{ python: string, packages: number, faults: string[] }} */
    const { python: version, packages, faults } = JSON.parse(answer.stdout.trim().split('\n').pop() ?? '');
    const more = faults.length > 3 ? `, and ${faults.length - 3} more` : '';
    if (faults.length > 0) return failed(`${faults.slice(0, 3).join(', ')}${more}.`, remedy);
    const words = `Python ${version}, ${packages} packages as locked`;
    return isDone(pythonEnvironment) ? ok(words) : warning(`${words}; set-up has not finished with it.`, remedy);
  },
};
