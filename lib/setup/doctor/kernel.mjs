// The TypeScript kernel, as Jupyter finds and starts it: that its files are there does not say that it answers.
// @ts-check
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { python, setupFolder, venv } from '../paths.mjs';
import { kernel as step, kernelFile } from '../python.mjs';
import { ask, wordsOf } from './ask.mjs';
import { failed, ok } from './finding.mjs';
import { makeAgain, setUp } from './remedies.mjs';
import { leaveNothing } from './venv.mjs';

/** For the kernel to answer; Python's own start is given some more. */
const seconds = 30;

/** @type {import('./finding.mjs').Check} */
export const kernel = {
  name: 'kernel',
  about: 'the TypeScript kernel: Jupyter finds it, and it answers',
  needs: ['venv', 'packages'],
  async examine() {
    const runtime = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-doctor-'));
    const started = performance.now();
    const answer = await ask(python, [path.join(setupFolder, 'doctor/kernel.py'), String(seconds)], {
      seconds: seconds + 10,
      env: { ...leaveNothing, JUPYTER_PREFER_ENV_PATH: '1', JUPYTER_RUNTIME_DIR: runtime },
    }).finally(() => fs.rmSync(runtime, { recursive: true, force: true }));
    const [specification, reply] = answer.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
    const remedy = makeAgain(step, kernelFile);
    if (!specification) return failed(`Jupyter ${wordsOf(answer)}.`, remedy);
    if (!specification.argv) return failed('Jupyter knows no kernel tslab.', remedy);
    if (path.relative(venv, specification.folder).startsWith('..'))
      return failed(`Jupyter finds a kernel tslab of another place, ${specification.folder}.`, remedy);
    const gone = specification.argv.slice(0, 2).find((/** @type {string} */ file) => !fs.existsSync(file));
    if (gone) return failed(`kernel.json names ${gone}, which is not there.`, remedy);
    if (reply?.status === 'ok' && reply.answer === '2')
      return ok(`tslab answers (${((performance.now() - started) / 1000).toFixed(1)} s, ${specification.argv[0]})`);
    return failed(
      reply
        ? `tslab says that 1 + 1 is ${reply.answer || reply.status}.`
        : `tslab does not answer: ${wordsOf(answer)}.`,
      `rm -r node_modules && ${setUp}`,
    );
  },
};
