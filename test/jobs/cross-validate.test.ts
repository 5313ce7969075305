// `tunebook cross-validate`: out-of-fold predictions of all reviews, means with intervals, and resuming after an interruption.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { CrossValidationResult } from '#lib/jobs/cross-validation.js';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import type { OutOfFoldPrediction } from '#lib/runs/out-of-fold.js';
import { newestModel, RunFolder } from '#lib/runs/run-folder.js';
import { openReviews, overSeeds, sampleReviews } from 'tunebook';
import { assertFailed } from '../failure.js';
import { starsFlags, start, tunebook, waitForOutput, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-folds-'));
after(() => fs.rmSync(folder, { recursive: true }));
writeTinyModel(path.join(folder, 'model'));
writeStarsCsv(path.join(folder, 'stars.csv'), 125);
const options = { cwd: folder };
const shared = [...starsFlags('stars.csv'), '--model', 'model', '--max-length', '32', '--batch-size', '8'];
const crossValidate = (...more: string[]) => ['cross-validate', ...shared, ...more];

test('an interrupted cross-validation is resumed; each review is predicted once, and the results follow from the predictions', async () => {
  const argv = crossValidate(
    '--folds',
    '3',
    '--max-steps',
    '20',
    '--lr',
    '3e-3',
    '--save-steps',
    '1',
    '--run-folder',
    'cv',
  );
  const { child, ended } = start(argv, options);
  await waitForOutput(child, /Fold 2\/3[\s\S]*step \d/);
  child.kill('SIGTERM');
  const first = await ended;
  assert.equal(first.status, 143, first.stderr);
  assert.match(first.stdout, /Resume with: npx tunebook cross-validate --resume cv/);
  assert.ok(!fs.existsSync(path.join(folder, 'cv/result.json')));

  const file = path.join(folder, 'stars.csv');
  const content = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, content.replace(/^1,/m, '5,'));
  const changed = await tunebook(['cross-validate', '--resume', 'cv'], options);
  assertFailed(changed, 3, 'ReviewsError', 'REVIEWS_CHANGED', 'cv/fold-1');
  fs.writeFileSync(file, content);
  const second = await tunebook(['cross-validate', '--resume', 'cv', '--json'], options);
  assert.equal(second.status, 0, second.stderr);
  assert.doesNotMatch(second.stderr, /Fold 1\/3/, 'a finished fold is not repeated');
  const result = JSON.parse(second.stdout) as CrossValidationResult;
  const lines = fs.readFileSync(path.join(folder, 'cv/out-of-fold.jsonl'), 'utf8').trim().split('\n');
  const predictions = lines.map((line) => JSON.parse(line) as OutOfFoldPrediction);

  // The same rows in the same order as in the file.
  const source = await openReviews(path.join(folder, 'stars.csv'), {
    textColumns: ['title', 'content'],
    labelColumn: 'stars',
    labelMapping: '1,2 -> negative; 4,5 -> positive',
  });
  const reviews = await sampleReviews(source);
  assert.deepEqual(
    predictions.map(({ row, text, label }) => ({ row, text, label })),
    reviews.map(({ text, label }, row) => ({ row, text, label: source.labelNames[label] })),
  );
  for (const { prediction, probabilities } of predictions) {
    assert.ok(Math.abs(probabilities['negative']! + probabilities['positive']! - 1) < 1e-9);
    assert.equal(prediction, probabilities['positive']! > 0.5 ? 'positive' : 'negative');
  }
  const accuracyOf = (some: OutOfFoldPrediction[]) =>
    some.filter(({ label, prediction }) => label === prediction).length / some.length;
  const byFold = [1, 2, 3].map((fold) => accuracyOf(predictions.filter((each) => each.fold === fold)));
  assert.deepEqual(
    result.folds.map(({ accuracy }) => accuracy),
    byFold,
  );
  assert.equal(result.pooled.accuracy, accuracyOf(predictions));
  const loss = predictions.reduce((sum, { label, probabilities }) => sum - Math.log(probabilities[label]!), 0);
  assert.ok(Math.abs(result.pooled.loss - loss / predictions.length) < 1e-6);
  const { mean, interval } = overSeeds(byFold);
  assert.equal(result.means.accuracy!.mean, mean);
  assert.equal(result.means.accuracy!.interval.high, Math.min(1, interval.high));
  assert.deepEqual(JSON.parse(fs.readFileSync(path.join(folder, 'cv/result.json'), 'utf8')), {
    labelNames: result.labelNames,
    folds: result.folds,
    means: result.means,
    pooled: result.pooled,
  });

  // The models are deleted, the runs stay.
  for (const name of ['fold-1', 'fold-2', 'fold-3']) {
    const run = new RunFolder(path.join(folder, 'cv', name));
    assert.equal(run.state, 'completed');
    assert.ok(!fs.existsSync(run.path('model')) && !fs.existsSync(run.path('checkpoints')));
    assert.equal(
      run.read<FinetuneMetrics>('metrics.json')!.test.count,
      predictions.filter(({ fold }) => `fold-${fold}` === name).length,
    );
  }
  const exported = await tunebook(['export', 'cv/fold-1'], options);
  assertFailed(exported, 2, 'RunError', 'RUN_NO_MODEL', '--keep-models');
});

test('--keep-models keeps the models of the folds, which are never the newest model; the result is printed', async () => {
  const argv = crossValidate('--folds', '2', '--max-steps', '2', '--keep-models', '--run-folder', 'runs/kept');
  const { status, stdout, stderr } = await tunebook(argv, options);
  assert.equal(status, 0, stderr);
  assert.ok(fs.existsSync(path.join(folder, 'runs/kept/fold-2/model/config.json')));
  assert.equal(newestModel(path.join(folder, 'runs')), undefined);
  assert.match(
    stdout,
    /pooled[\s\S]*Mean over the folds, with a 95 % interval by Student's t: accuracy \d+\.\d % \(\d+\.\d to \d+\.\d %\), macro F1 0\.\d{3} \(/,
  );
  const taken = await tunebook(argv, options);
  assertFailed(taken, 2, 'RunError', 'RUN_EXISTS', 'runs/kept');
  const changed = await tunebook(crossValidate('--folds', '4', '--resume', 'runs/kept'), options);
  assertFailed(changed, 2, 'RunError', 'RUN_SETTINGS_CHANGED', '--folds 2');
});

test('invalid settings and reviews are rejected before any fold is trained, and leave no folder', async () => {
  const rejects = async (status: number, name: string, code: string, value: string, argv: string[]) => {
    const result = await tunebook(argv, options);
    assertFailed(result, status, name, code, value);
  };
  await rejects(2, 'SettingsError', 'SETTING_INVALID', "--folds is '1'", crossValidate('--folds', '1'));
  await rejects(2, 'SettingsError', 'SETTING_INVALID', "--learning-rate is '7'", crossValidate('--lr', '7'));
  await rejects(2, 'SettingsError', 'SETTING_CONFLICT', '--streaming', crossValidate('--streaming'));
  await rejects(2, 'SettingsError', 'SETTING_INVALID', "--fold is '6/5'", ['finetune', ...shared, '--fold', '6/5']);
  await rejects(2, 'RunError', 'RUN_NOT_A_RUN', 'cross-validation.json', ['cross-validate', '--resume', 'model']);
  await rejects(2, 'RunError', 'RUN_NOT_FOUND', 'runs/', ['cross-validate', '--resume']);
  const few = crossValidate('--folds', '20', '--rows', '30', '--run-folder', 'few');
  await rejects(3, 'ReviewsError', 'REVIEWS_SMALL_CLASS', '20 folds', few);
  assert.ok(!fs.existsSync(path.join(folder, 'few')));
});
