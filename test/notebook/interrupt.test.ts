// Interrupting a notebook. Ctrl-C in `npm start` and the stop button of JupyterLab both send SIGINT to the kernel.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sameRequest } from '#lib/signals.js';
import { root } from '../checkout.js';
import { outputOf, writeNotebook } from './write.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** Code for a cell that signals that the given interrupt, the first or the second, may be sent now. */
const signalReady = (interrupt: number) =>
  `(require('node:fs') as typeof import('node:fs')).writeFileSync(${JSON.stringify(path.join(folder, `ready-${interrupt}`))}, '')`;

/** Runs a notebook in a separate process and sends each interrupt when the notebook signals that it is ready. */
async function runInterrupted(
  interrupts: number,
  ...sources: string[]
): Promise<{ status: number | null; stderr: string; output: string[] }> {
  const notebook = writeNotebook(folder, sources);
  const executed = path.join(folder, 'executed.ipynb');
  for (let i = 1; i <= interrupts; i++) fs.rmSync(path.join(folder, `ready-${i}`), { force: true });
  const code = `
    import { executeNotebook } from ${JSON.stringify(path.join(root, 'lib/dist/notebook/execute.js'))};
    await executeNotebook(${JSON.stringify(notebook)}, {
      executed: ${JSON.stringify(executed)}, report: ${JSON.stringify(path.join(folder, 'report.html'))},
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  for (let i = 1; i <= interrupts; i++) {
    while (child.exitCode === null && !fs.existsSync(path.join(folder, `ready-${i}`))) await sleep(50);
    // Within this time, the second SIGINT would count as a repetition of the first.
    if (i > 1) await sleep(sameRequest);
    child.kill('SIGINT');
  }
  return { status: await exit, stderr, output: outputOf(executed) };
}

const training = `
const model = await tunebook.TextClassifier.load('embedded');
const train = { ids: Array.from({ length: 64 }, (_, i) => Int32Array.of(1, i % 50, 2)), labels: new Int32Array(64) };
const result = await tunebook.interruptible((signal) =>
  new tunebook.Trainer(model, { maxSteps: 1e6 }).train(train, { signal, onRecord: () => ${signalReady(1)} }));
console.log(result.end, result.records.length > 0 && result.records.length < 1e6);`;

test('an interrupt stops training after the current step, and the following cells run', async () => {
  const { status, stderr, output } = await runInterrupted(
    1,
    "import * as tunebook from 'tunebook';",
    training,
    'const steps = result.records.length;\nawait new Promise((resolve) => setTimeout(resolve, 300));\nconsole.log(steps === result.records.length, process.listenerCount("SIGINT"));',
  );
  assert.equal(status, 0, stderr);
  // Nothing continues in the background, and the listener of tslab is the only one again.
  assert.deepEqual(output, ['', 'interrupted true', 'true 1']);
});

test('an interrupt in any other cell is an error, and the outputs of earlier cells are kept', async () => {
  const { status, stderr, output } = await runInterrupted(
    1,
    "console.log('kept');",
    // The vm that runs a cell ignores a SIGINT that arrives in the synchronous part of the cell, before the first await.
    `await new Promise((resolve) => setTimeout(resolve, 10));\n${signalReady(1)};\nawait new Promise((resolve) => setTimeout(resolve, 60_000));`,
  );
  assert.equal(status, 1);
  assert.match(stderr, /Interrupted in cell 2/);
  assert.equal(output[0], 'kept');
});

test('a second interrupt ends the execution at once, even if the loop ignores the first one', async () => {
  const { status, stderr } = await runInterrupted(
    2,
    "import * as tunebook from 'tunebook';",
    `await tunebook.interruptible((signal) => {
       signal.addEventListener('abort', () => ${signalReady(2)});
       ${signalReady(1)};
       return new Promise((resolve) => setTimeout(resolve, 60_000));
     });`,
  );
  assert.equal(status, 1);
  assert.match(stderr, /Stopped at once after SIGINT/);
});
