// Deno's Jupyter kernel instead of tslab: the same cells train, show figures and tables, score, and can be stopped. Deno's
// binary is a package of the Python package index.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../checkout.js';
import { pythonWith } from '../python-environment.js';
import { joined, readNotebook, writeNotebook, type StoredNotebook } from './write.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));

// Without it, Deno does not take packages from node_modules.
fs.writeFileSync(path.join(folder, 'package.json'), '{}');
const deno = path.join(path.dirname(pythonWith('notebook')), 'deno');
const kernel = path.join(folder, 'jupyter/kernels/deno');
fs.mkdirSync(kernel, { recursive: true });
// As `deno jupyter --install` writes it.
fs.writeFileSync(
  path.join(kernel, 'kernel.json'),
  JSON.stringify({
    argv: [deno, 'jupyter', '--kernel', '--conn', '{connection_file}'],
    display_name: 'Deno',
    language: 'typescript',
  }),
);

/** Executes a notebook of the given cells. When it writes the number of the kernel's process to `ready`, the kernel is interrupted. */
async function run(sources: string[], ready?: string): Promise<StoredNotebook> {
  const notebook = writeNotebook(folder, sources);
  const jupyter = path.join(root, '.venv/bin/jupyter');
  const child = spawn(jupyter, ['execute', notebook, '--kernel_name=deno', '--inplace', '--timeout=300'], {
    cwd: folder,
    env: { ...process.env, JUPYTER_DATA_DIR: path.join(folder, 'jupyter'), DENO_DIR: path.join(folder, 'deno') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const closed = once(child, 'close') as Promise<[number | null]>;
  while (ready && child.exitCode === null && !fs.existsSync(ready)) await sleep(50);
  if (ready && fs.existsSync(ready)) process.kill(Number(fs.readFileSync(ready, 'utf8')), 'SIGINT');
  const [status] = await closed;
  assert.equal(status, 0, stderr);
  return readNotebook(notebook);
}

// Deno sends lines of the last moment of a cell after its end, when Jupyter no longer takes them.
const pause = 'await new Promise((resolve) => setTimeout(resolve, 300));';

const loading = `
import * as tunebook from 'tunebook';
const reviews = await tunebook.loadReviews('embedded', { rows: 200, seed: 42 });
const model = await tunebook.TextClassifier.load('embedded', { reading: reviews.source.reading });`;

test('a notebook trains, shows figures and tables, saves, exports and scores', async () => {
  const { cells } = await run([
    loading,
    `const trainer = new tunebook.Trainer(model, { epochs: 1, batchSize: 16 });
     const progress = tunebook.trainingProgress();
     const { end, records } = await trainer.train(reviews.train, { onRecord: (record) => progress.update(record) });
     await progress.finish();
     console.log(end, records.every(({ loss }) => loss > 0.1 && loss < 2));
     ${pause}`,
    `const metrics = await trainer.evaluate(reviews.test);
     tunebook.showTable(tunebook.describeClasses(metrics));
     await tunebook.showFigure(tunebook.figures.confusionMatrix(metrics.confusion, reviews.labels));`,
    `import { openSentimentModel } from 'tunebook/serving';
     model.save('model');
     await tunebook.exportModel('model', reviews.test.slice(0, 20), { version: 'test' });
     const scorer = await openSentimentModel('model');
     const text = 'The item came damaged, 1 star.';
     const [scored] = await scorer.predictSentiment([text]);
     const [predicted] = model.predict([text]);
     console.log(scored.label === predicted.label, Math.abs(scored.score - predicted.score) < 1e-3);
     ${pause}`,
  ]);
  const [, training, evaluation, scoring] = cells.map(({ outputs }) => outputs ?? []);
  const printed = (outputs: typeof training) => joined(outputs?.flatMap(({ text }) => text ?? []));
  assert.match(printed(training), /^completed true$/m);
  const types = (outputs: typeof training) => outputs!.flatMap(({ data }) => Object.keys(data ?? {}));
  // The curve is one output, which was updated.
  assert.deepEqual(types(training).sort(), ['application/vnd.plotly.v1+json', 'image/png', 'text/plain']);
  assert.deepEqual(types(evaluation), [
    'text/html',
    'text/plain',
    'application/vnd.plotly.v1+json',
    'image/png',
    'text/plain',
  ]);
  assert.match(printed(scoring), /^true true$/m);
});

test('the stop button stops training after the current step, and the following cells run', async () => {
  const ready = path.join(folder, 'ready');
  const { cells } = await run(
    [
      loading,
      `import fs from 'node:fs';
       const result = await tunebook.interruptible((signal) =>
         new tunebook.Trainer(model, { maxSteps: 1e6 }).train(reviews.train, {
           signal,
           onRecord: () => {
             fs.writeFileSync('pid', String(process.pid));
             fs.renameSync('pid', ${JSON.stringify(ready)});
           },
         }));`,
      `console.log(result.end, result.records.length < 1e6); ${pause}`,
    ],
    ready,
  );
  assert.match(joined(cells[2]!.outputs?.flatMap(({ text }) => text ?? [])), /interrupted true/);
});
