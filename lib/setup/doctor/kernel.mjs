// Starts the TypeScript kernel through Jupyter and runs code, because existing files do not prove that the kernel
// works.
// @ts-check
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { python, setupFolder, venv } from '../paths.mjs';
import { kernel as step, kernelFile } from '../python.mjs';
import { describeFailure, runProgram } from './ask.mjs';
import { failed, ok } from './finding.mjs';
import { repeatStep, setUp } from './remedies.mjs';
import { noBytecode } from './venv.mjs';

/** Timeout for the kernel, in seconds; Python gets more for its own start. */
const seconds = 30;

/** @type {import('./finding.mjs').Check} */
export const kernel = {
  name: 'kernel',
  about: 'the TypeScript kernel: Jupyter finds it, and it runs code',
  needs: ['venv', 'packages'],
  async examine() {
    const runtime = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-doctor-'));
    const started = performance.now();
    const result = await runProgram(python, [path.join(setupFolder, 'doctor/kernel.py'), String(seconds)], {
      seconds: seconds + 10,
      env: { ...noBytecode, JUPYTER_PREFER_ENV_PATH: '1', JUPYTER_RUNTIME_DIR: runtime },
    }).finally(() => fs.rmSync(runtime, { recursive: true, force: true }));
    const [specification, reply] = result.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
    const remedy = repeatStep(step, kernelFile);
    if (!specification) return failed(`Jupyter ${describeFailure(result)}.`, remedy);
    if (!specification.argv) return failed('Jupyter finds no tslab kernel.', remedy);
    if (path.relative(venv, specification.folder).startsWith('..'))
      return failed(`Jupyter finds a tslab kernel outside .venv: ${specification.folder}.`, remedy);
    const missing = specification.argv.slice(0, 2).find((/** @type {string} */ file) => !fs.existsSync(file));
    if (missing) return failed(`kernel.json refers to ${missing}, which does not exist.`, remedy);
    if (reply?.status === 'ok' && reply.answer === '2')
      return ok(`tslab responds (${((performance.now() - started) / 1000).toFixed(1)} s, ${specification.argv[0]})`);
    return failed(
      reply
        ? `tslab evaluates 1 + 1 to ${reply.answer || reply.status}.`
        : `tslab does not respond: Jupyter ${describeFailure(result)}.`,
      `rm -r node_modules && ${setUp}`,
    );
  },
};
