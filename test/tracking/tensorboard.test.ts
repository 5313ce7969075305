// Event files, read back by TensorBoard itself: the curves of a run, also of one that was resumed, its settings and results.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { readJournal, recordsOf } from '#lib/runs/journal.js';
import { root } from '../checkout.js';
import { assertFailed } from '../failure.js';
import { pythonWith } from '../python-environment.js';
import { finetuneTiny, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const python = pythonWith('mlflow');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-tensorboard-'));
after(() => fs.rmSync(folder, { recursive: true }));
writeTinyModel(path.join(folder, 'model'));
writeStarsCsv(path.join(folder, 'stars.csv'));

interface Events {
  scalars: Record<string, [step: number, value: number][]>;
  texts: Record<string, string>;
  plugins: Record<string, string>;
}

function readEvents(run: string): Events {
  const argv = [path.join(root, 'test/tracking/read_events.py'), path.join(run, 'tensorboard')];
  const { status, stdout, stderr } = spawnSync(python, argv, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Events;
}

test('TensorBoard reads curves, settings and results; a resumed run has each step once', async () => {
  const run = path.join(folder, 'run');
  const flags = ['--report-to', 'tensorboard', '--save-steps', '3', '--eval-steps', '3'];
  const first = await tunebook(finetuneTiny(folder, 'run', ...flags, '--max-steps', '6'));
  assert.equal(first.status, 0, first.stderr);
  // As if the process had been killed after step 5: the last checkpoint is that of step 3.
  const checkpoints = path.join(run, 'checkpoints');
  for (const name of fs.readdirSync(checkpoints))
    if (!name.endsWith('-3')) fs.rmSync(path.join(checkpoints, name), { recursive: true });
  const status = JSON.parse(fs.readFileSync(path.join(run, 'status.json'), 'utf8')) as object;
  fs.writeFileSync(path.join(run, 'status.json'), JSON.stringify({ ...status, state: 'interrupted' }));
  // TensorBoard orders files by the second of their creation.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const second = await tunebook(finetuneTiny(folder, 'run', ...flags, '--max-steps', '6', '--resume'));
  assert.equal(second.status, 0, second.stderr);
  assert.match(second.stdout, /Resuming from .*-3/);
  assert.equal(fs.readdirSync(path.join(run, 'tensorboard')).length, 2);

  const { scalars, texts, plugins } = readEvents(run);
  const records = recordsOf(readJournal(run));
  assert.deepEqual(
    records.map(({ step }) => step),
    [1, 2, 3, 4, 5, 6],
  );
  for (const [tag, name] of [
    ['train/loss', 'loss'],
    ['train/learning_rate', 'learningRate'],
    ['train/grad_norm', 'gradNorm'],
  ] as const)
    assert.deepEqual(
      scalars[tag],
      records.map((record) => [record.step, Math.fround(record[name])]),
    );
  assert.deepEqual(
    scalars['eval/accuracy']!.map(([step]) => step),
    [3, 6],
  );
  const metrics = JSON.parse(fs.readFileSync(path.join(run, 'metrics.json'), 'utf8')) as { test: { accuracy: number } };
  assert.deepEqual(scalars['test/accuracy'], [[6, Math.fround(metrics.test.accuracy)]]);
  assert.match(texts['settings']!, /\| setting \| value \|[\s\S]*\| maxSteps \| 6 \|/);
  assert.equal(plugins['settings'], 'text');
});

test('with none, or by default without a server, there are no event files; unknown trackers are rejected', async () => {
  for (const [name, ...flags] of [['none', '--report-to', 'none'], ['default']] as const) {
    const { status, stderr } = await tunebook(finetuneTiny(folder, name, '--max-steps', '2', ...flags));
    assert.equal(status, 0, stderr);
    assert.ok(!fs.existsSync(path.join(folder, name, 'tensorboard')));
  }
  const unknown = await tunebook(finetuneTiny(folder, 'unknown', '--report-to', 'tensorboard,wandb'));
  assertFailed(unknown, 2, 'SettingsError', 'SETTING_INVALID', "'tensorboard,wandb'");
});
