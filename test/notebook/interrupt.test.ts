// Ctrl-C at `npm start`, which is the notebook's stop button: both are SIGINT to the kernel.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sameRequest } from '#lib/signals.js';
import { root } from '../checkout.js';
import { outputOf, writeNotebook } from './write.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** Code for a cell that says that it can be interrupted now, for the first time or the second. */
const ready = (time: number) =>
  `(require('node:fs') as typeof import('node:fs')).writeFileSync(${JSON.stringify(path.join(folder, `ready-${time}`))}, '')`;

/** Runs a notebook in a process of its own and interrupts it each time that it says `ready`. */
async function interrupted(
  times: number,
  ...sources: string[]
): Promise<{ status: number | null; words: string; output: string[] }> {
  const notebook = writeNotebook(folder, sources);
  const executed = path.join(folder, 'executed.ipynb');
  for (let time = 1; time <= times; time++) fs.rmSync(path.join(folder, `ready-${time}`), { force: true });
  const code = `
    import { executeNotebook } from ${JSON.stringify(path.join(root, 'lib/dist/notebook/execute.js'))};
    await executeNotebook(${JSON.stringify(notebook)}, {
      executed: ${JSON.stringify(executed)}, report: ${JSON.stringify(path.join(folder, 'report.html'))},
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words += text));
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  for (let time = 1; time <= times; time++) {
    while (child.exitCode === null && !fs.existsSync(path.join(folder, `ready-${time}`))) await pause(50);
    // Sooner it would be the same request, received twice.
    if (time > 1) await pause(sameRequest);
    child.kill('SIGINT');
  }
  return { status: await exit, words, output: outputOf(executed) };
}

const training = `
const model = await tunebook.TextClassifier.load('embedded');
const train = { ids: Array.from({ length: 64 }, (_, i) => Int32Array.of(1, i % 50, 2)), labels: new Int32Array(64) };
const result = await tunebook.interruptible((signal) =>
  new tunebook.Trainer(model, { maxSteps: 1e6 }).train(train, { signal, onRecord: () => ${ready(1)} }));
console.log(result.end, result.records.length > 0 && result.records.length < 1e6);`;

test('training ends after its step, and the cells after it run', async () => {
  const { status, words, output } = await interrupted(
    1,
    "import * as tunebook from 'tunebook';",
    training,
    'const steps = result.records.length;\nawait new Promise((resolve) => setTimeout(resolve, 300));\nconsole.log(steps === result.records.length, process.listenerCount("SIGINT"));',
  );
  assert.equal(status, 0, words);
  // Nothing goes on behind the cell, and tslab has its one listener back.
  assert.deepEqual(output, ['', 'interrupted true', 'true 1']);
});

test('another cell is interrupted, and what was run is kept', async () => {
  const { status, words, output } = await interrupted(
    1,
    "console.log('kept');",
    `${ready(1)};\nawait new Promise((resolve) => setTimeout(resolve, 60_000));`,
  );
  assert.equal(status, 1);
  assert.match(words, /Interrupted in cell 2/);
  assert.equal(output[0], 'kept');
});

test('a second interrupt ends everything at once, though the loop does not listen', async () => {
  const { status, words } = await interrupted(
    2,
    "import * as tunebook from 'tunebook';",
    `await tunebook.interruptible((signal) => {
       signal.addEventListener('abort', () => ${ready(2)});
       ${ready(1)};
       return new Promise((resolve) => setTimeout(resolve, 60_000));
     });`,
  );
  assert.equal(status, 1);
  assert.match(words, /Stopped at once after SIGINT/);
});
