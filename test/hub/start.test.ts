// `npm start` with the default names and the mock hub, and the output files of finetune.ipynb.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { readJournal } from '#lib/runs/journal.js';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import { openRun } from '#lib/runs/run-folder.js';
import { root } from '../checkout.js';
import { readNotebook } from '../notebook/write.js';
import { distilbert, polarity } from './repositories.js';
import { startStandInHub } from './stand-in.js';

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
const createdFolders = [temporary];
after(() => createdFolders.forEach((folder) => fs.rmSync(folder, { recursive: true })));

/** Runs `npm start`. Its run folder is removed after the tests. */
async function start(
  flags: string[],
  environment: Record<string, string>,
): Promise<{ status: number | null; output: string; stderr: string; folder: string }> {
  const child = spawn(process.execPath, [path.join(root, 'lib/dist/cli/start.js'), ...flags], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data) => (output += String(data)));
  let stderr = '';
  child.stderr.on('data', (data) => {
    output += String(data);
    stderr += String(data);
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  // The command prints its folder below runs/ in the checkout.
  const folder = path.dirname(/runs\S+finetune\.ipynb/.exec(output)?.[0] ?? '');
  if (folder !== '.') createdFolders.push(folder);
  return { status, output, stderr, folder };
}

test('npm start with the default names completes and downloads only the needed files', async () => {
  const hub = await startStandInHub([distilbert, await polarity(40_000, 4_000)]);
  const { status, output } = await start(
    [
      '--model',
      'distilbert-base-uncased',
      '--dataset',
      'amazon_polarity',
      '--rows',
      '400',
      '--max-steps',
      '3',
      '--max-length',
      '32',
    ],
    { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: path.join(temporary, 'cache'), HF_HUB_OFFLINE: '', HF_TOKEN: '' },
  );
  await hub.close();
  assert.equal(status, 0, output);
  assert.match(output, /model\.safetensors: \d+ MB of \d+ MB/);
  assert.match(
    output,
    /\nThis runs on the model distilbert-base-uncased and the reviews amazon_polarity, as specified\./,
  );
  assert.match(output, /Accuracy +\S+ % of 80 test reviews/);
  const bodies = hub.requests.filter(({ bytes }) => bytes > 0);
  const completeFiles = bodies.filter(({ range }) => range === undefined).map(({ path }) => path.split('/').at(-1));
  assert.deepEqual(completeFiles, [
    'config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'model.safetensors',
    'README.md',
  ]);
  assert.ok(bodies.filter(({ range }) => range !== undefined).every(({ path }) => path.endsWith('.parquet')));
});

test('npm start runs all of finetune.ipynb, streamed, with five classes and texts that exceed the maximum length', async () => {
  const file = path.join(temporary, 'stars.jsonl');
  const words = ['terrible', 'poor', 'average', 'good', 'wonderful'];
  const ratings = Array.from({ length: 120 }, (_, i) => (i < 100 ? (i % 5) + 1 : 5));
  const rows = ratings.map((rating, i) =>
    JSON.stringify({
      rating,
      title: `${words[rating - 1]} thing ${i}`,
      text: 'I have used it '.repeat(1 + (i % 7)),
    }),
  );
  fs.writeFileSync(file, rows.join('\n'));
  const { status, output, stderr, folder } = await start(
    ['--dataset', file, '--text-columns', 'title,text', '--max-steps', '2', '--max-length', '1024', '--streaming'],
    {},
  );
  assert.equal(status, 0, output);
  assert.match(output, /Accuracy +\S+ % of 24 test reviews/);
  assert.match(output, /CLASS_NEVER_PREDICTED.*--class-weights balanced/, 'messages name settings as flags');
  assert.equal(stderr, '', 'TensorFlow, oneDNN and Jupyter print nothing to stderr');

  const code = readNotebook(path.join(folder, 'finetune.ipynb')).cells.filter(({ cell_type }) => cell_type === 'code');
  assert.deepEqual(
    code.map(({ execution_count }) => execution_count),
    code.map((_, i) => i + 1),
  );
  const types = code.flatMap(({ outputs }) => outputs ?? []).map(({ data }) => Object.keys(data ?? {}));
  const figures = types.filter((type) => type.includes('application/vnd.plotly.v1+json'));
  assert.equal(figures.length, 7);
  assert.ok(figures.every((type) => type.includes('image/png') && type.includes('text/plain')));
  const page = fs.readFileSync(path.join(folder, 'finetune.html'), 'utf8');
  assert.ok((page.match(/data:image\/png/g) ?? []).length >= 7);
  // The folder is that of a run, as of a job.
  const run = openRun(folder);
  assert.equal(run.state, 'completed');
  assert.equal(run.settings!.command, 'finetune');
  assert.equal(run.settings!.settings.maxSteps, 2);
  const metrics = run.read<FinetuneMetrics>('metrics.json')!;
  assert.equal(metrics.test.count, 24);
  assert.deepEqual(metrics.rows, { train: 120, validation: 17, test: 24 });
  for (const name of ['model/model.safetensors', 'model/README.md', 'report.html', 'figures/learning-curves.png'])
    assert.ok(fs.existsSync(path.join(folder, name)), name);
  const kinds = readJournal(folder).map(({ kind }) => kind);
  assert.deepEqual(
    [kinds[0], ...kinds.filter((kind) => kind === 'step'), ...kinds.slice(-2)].join(' '),
    'start step step summary end',
  );
});

test('an unknown name and an invalid flag are errors with a suggestion', async () => {
  const hub = await startStandInHub([distilbert]);
  const { status, output } = await start(['--model', 'distilbert-base-uncase'], {
    HF_ENDPOINT: hub.endpoint,
    HF_HUB_CACHE: path.join(temporary, 'none'),
  });
  await hub.close();
  assert.equal(status, 3);
  assert.match(output, /Did you mean distilbert\/distilbert-base-uncased\?/);
  const rejected = await start(['--rows', '0'], {});
  assert.deepEqual(
    [rejected.status, /--rows is '0'; it must be -1 or an integer of at least 1/.test(rejected.output)],
    [2, true],
  );
});
