// `tunebook adapt` as a job: training on texts without labels, its output files, and fine-tuning of the result.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { MaskedLM } from '#lib/model/masked-lm.js';
import { readPreprocessing } from '#lib/model/preprocessing.js';
import type { AdaptMetrics, FinetuneMetrics } from '#lib/runs/metrics.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { readJournal, recordsOf } from '#lib/runs/journal.js';
import { assertFailed } from '../failure.js';
import { starsFlags, waitForOutput, start, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-runs-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
writeTinyModel(inFolder('model'));
writeStarsCsv(inFolder('stars.csv'));
const texts = fs
  .readFileSync(inFolder('stars.csv'), 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => JSON.stringify({ text: line.split(',').slice(1).join(',').replaceAll('"', '') }));
fs.writeFileSync(inFolder('texts.jsonl'), texts.join('\n'));

const adapt = (run: string, ...more: string[]) => [
  'adapt',
  '--model',
  inFolder('model'),
  '--dataset',
  inFolder('texts.jsonl'),
  '--batch-size',
  '16',
  '--lr',
  '1e-2',
  '--max-length',
  '32',
  '--run-folder',
  inFolder(run),
  ...more,
];
/** One thread, so that the order of sums is deterministic. */
const oneThread = { env: { TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' } };

test('training on texts without labels lowers the perplexity, and the model can be fine-tuned', async () => {
  const { status, stdout, stderr } = await tunebook(adapt('adapted', '--epochs', '8', '--whole-word-mask'));
  assert.equal(status, 0, stderr);
  assert.match(stdout, /texts\.jsonl: \d+ training, \d+ validation and \d+ test texts\./);
  assert.match(stdout, /The model has no masked-LM head: .* are randomly initialized/);
  const metrics = new RunFolder(inFolder('adapted')).read<AdaptMetrics>('metrics.json')!;
  assert.ok(metrics.after.loss < 0.6 * metrics.before.loss, `${metrics.before.loss} -> ${metrics.after.loss}`);
  assert.equal(metrics.before.count, metrics.after.count);
  assert.ok(stdout.includes(`After        perplexity ${metrics.after.perplexity.toFixed(2)}`));
  const model = MaskedLM.fromFolder(inFolder('adapted/model'));
  assert.equal(model.freshHead, false);
  model.dispose();
  assert.match(
    fs.readFileSync(inFolder('adapted/model/README.md'), 'utf8'),
    /pipeline_tag: fill-mask[\s\S]*\| perplexity \|/,
  );
  assert.match(fs.readFileSync(inFolder('adapted/report.html'), 'utf8'), /Perplexity .* before, .* after/);
  assert.ok(fs.existsSync(inFolder('adapted/figures/learning-curves.png')));

  const tuned = await tunebook([
    'finetune',
    '--model',
    inFolder('adapted/model'),
    ...starsFlags(inFolder('stars.csv')),
    '--max-length',
    '32',
    '--max-steps',
    '3',
    '--run-folder',
    inFolder('tuned'),
  ]);
  assert.equal(tuned.status, 0, tuned.stderr);
  assert.match(tuned.stdout, /Ignored, since they belong to another task: vocab_/);
  assert.equal(
    new RunFolder(inFolder('tuned')).read<FinetuneMetrics>('metrics.json')!.model,
    inFolder('adapted/model'),
  );
});

test('labeled reviews are split as for fine-tuning, so that the test reviews are held out', async () => {
  // Each text is longer than the 64 tokens that the model accepts.
  const stars = fs.readFileSync(inFolder('stars.csv'), 'utf8');
  fs.writeFileSync(inFolder('long.csv'), stars.replaceAll(', and it', `${' and so on'.repeat(30)}, and it`));
  const labeled = [
    '--dataset',
    inFolder('long.csv'),
    '--max-length',
    '1024',
    '--text-columns',
    'title,content',
    '--label-column',
    'stars',
  ];
  const both = [...labeled, '--label-mapping', '1,2 -> negative; 4,5 -> positive', '--fast-dev-run'];
  const read = await tunebook(['adapt', '--model', inFolder('model'), ...both, '--run-folder', inFolder('a')]);
  assert.equal(read.status, 0, read.stderr);
  assert.match(read.stdout, /\d+ training, \d+ validation and \d+ test reviews, whose labels are ignored/);
  const tuned = await tunebook(['finetune', '--model', inFolder('model'), ...both, '--run-folder', inFolder('b')]);
  assert.equal(tuned.status, 0, tuned.stderr);
  const rowsOf = (run: string) => new RunFolder(inFolder(run)).read<AdaptMetrics>('metrics.json')!.rows;
  assert.deepEqual(rowsOf('a'), rowsOf('b'));
  for (const { stdout } of [read, tuned])
    assert.match(stdout, /accepts at most 64 tokens: texts are truncated to these, not to 1024 \(--max-length\)\./);
  assert.equal(readPreprocessing(inFolder('b/model'))!.maxLength, 64);

  // Numbers are sampled without classes.
  const numbers = [...labeled, '--problem-type', 'regression', '--rows', '60', '--fast-dev-run'];
  const fingerprints = ['adapt', 'finetune'].map(async (command) => {
    const run = inFolder(`numbers-${command}`);
    const { status, stderr } = await tunebook([command, '--model', inFolder('model'), ...numbers, '--run-folder', run]);
    assert.equal(status, 0, stderr);
    return new RunFolder(run).read<AdaptMetrics>('metrics.json')!.data!.fingerprint;
  });
  const [adapted, finetuned] = await Promise.all(fingerprints);
  assert.ok(adapted !== undefined && adapted === finetuned);
});

test('a streamed run that is killed with SIGKILL and resumed ends with the same weights', async () => {
  const argv = (run: string) =>
    adapt(run, '--streaming', '--rows', '60', '--max-steps', '120', '--save-steps', '5', '--eval-steps', '40');
  const uninterrupted = await tunebook(argv('uninterrupted'), oneThread);
  assert.equal(uninterrupted.status, 0, uninterrupted.stderr);
  const { child, ended } = start([...argv('killed'), '--json'], oneThread);
  await waitForOutput(child, '"kind":"checkpoint"');
  child.kill('SIGKILL');
  await ended;
  assert.ok(recordsOf(readJournal(inFolder('killed'))).length < 120);
  const resumed = await tunebook([...argv('killed'), '--resume'], oneThread);
  assert.equal(resumed.status, 0, resumed.stderr);
  const weights = (run: string) => fs.readFileSync(inFolder(run, 'model/model.safetensors'));
  assert.ok(weights('killed').equals(weights('uninterrupted')), 'bit for bit');
  const [killed, whole] = ['killed', 'uninterrupted'].map((run) =>
    new RunFolder(inFolder(run)).read<AdaptMetrics>('metrics.json')!,
  );
  assert.deepEqual([killed!.before, killed!.after], [whole!.before, whole!.after]);

  const other = await tunebook(['finetune', '--resume', inFolder('uninterrupted')]);
  assertFailed(other, 2, 'RunError', 'RUN_OF_OTHER_COMMAND', 'tunebook adapt');
});

test('invalid settings are rejected', async () => {
  const conflict = await tunebook(adapt('conflict', '--streaming', '--max-train-samples', '5'));
  assertFailed(conflict, 2, 'SettingsError', 'SETTING_CONFLICT', '--streaming', '--max-train-samples');
  const probability = await tunebook(adapt('probability', '--mlm-probability', '15'));
  assertFailed(probability, 2, 'SettingsError', 'SETTING_INVALID', "--mlm-probability is '15'");
  const column = await tunebook(adapt('column', '--text-columns', 'words'));
  assertFailed(column, 3, 'ReviewsError', 'REVIEWS_NO_COLUMN', "'words'");
  const unknown = await tunebook(['finetune', '--mlm-probability', '0.2']);
  assert.deepEqual([unknown.status, /has no option --mlm-probability\./.test(unknown.stderr)], [2, true]);
});
