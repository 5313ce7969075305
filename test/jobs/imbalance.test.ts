// `tunebook finetune` on imbalanced reviews: class weights and warnings on the console, in the journal and in the results.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { readJournal } from '#lib/runs/journal.js';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { assertFailed } from '../failure.js';
import { tunebook, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-imbalance-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
writeTinyModel(inFolder('model'), 0);

/** 190 reviews of the class fine and 10 of the class broken: 5 % are rare, since 10 % of two classes are the limit. */
fs.writeFileSync(
  inFolder('reviews.csv'),
  `text,label\n${Array.from({ length: 200 }, (_, i) => (i % 20 === 7 ? `it broke on day ${i},broken` : `it lasts for ${i} days,fine`)).join('\n')}\n`,
);
const finetune = (run: string, ...more: string[]) =>
  tunebook([
    'finetune',
    ...['--dataset', inFolder('reviews.csv'), '--model', inFolder('model'), '--max-length', '16'],
    ...['--precision', 'float32', '--run-folder', inFolder(run), ...more],
  ]);
const metricsOf = (run: string) => new RunFolder(inFolder(run)).read<FinetuneMetrics>('metrics.json')!;
/** So few steps that the model only learns which class is frequent. */
const trainingFlags = ['--max-steps', '12', '--lr', '2e-4'];

test('without class weights: warnings with numbers on the console, in journal, metrics, report and model card', async () => {
  const { status, stdout, stderr } = await finetune('none', ...trainingFlags);
  assert.equal(status, 0, stderr);
  const { warnings, classWeights, test } = metricsOf('none');
  assert.equal(classWeights, null);
  assert.deepEqual(test.confusion, [
    [0, 2],
    [0, 38],
  ]);
  assert.deepEqual(
    warnings!.map(({ code }) => code),
    ['CLASS_RARE', 'CLASS_NEVER_PREDICTED', 'ACCURACY_NOT_ABOVE_MAJORITY'],
  );
  assert.match(
    warnings![0]!.message,
    /^The class broken is rare: 6 \(4\.3 %\) of 138 training reviews.*--class-weights balanced/,
  );
  const journal = readJournal(inFolder('none')).filter((entry) => entry.kind === 'warning');
  assert.deepEqual(
    journal.map(({ code, message }) => ({ code, message })),
    warnings,
  );
  // The first one comes before training.
  assert.ok(stdout.indexOf('Warning [CLASS_RARE]') < stdout.indexOf('step 1/'));
  const report = fs.readFileSync(inFolder('none', 'report.html'), 'utf8');
  const card = fs.readFileSync(inFolder('none', 'model/README.md'), 'utf8');
  for (const { message } of warnings!)
    for (const text of [stdout, report, card]) assert.ok(text.includes(message), message);
});

test('balanced class weights are on the console and in the results, and cannot change on resume', async () => {
  const { status, stdout, stderr } = await finetune('balanced', ...trainingFlags, '--class-weights', 'balanced');
  assert.equal(status, 0, stderr);
  assert.ok(stdout.includes('Class weights of the training loss: broken 11.5, fine 0.523.'));
  const metrics = metricsOf('balanced');
  assert.deepEqual(metrics.classWeights, { broken: 138 / (2 * 6), fine: 138 / (2 * 132) });
  assert.equal(metrics.warnings![0]!.code, 'CLASS_RARE');
  assert.doesNotMatch(metrics.warnings![0]!.message, /--class-weights/);
  for (const file of ['report.html', 'model/README.md'])
    assert.ok(fs.readFileSync(inFolder('balanced', file), 'utf8').includes('broken 11.5, fine 0.523'), file);
  const changed = await finetune('balanced', ...trainingFlags, '--resume', '--class-weights', 'fine=1,broken=2');
  assertFailed(changed, 2, 'RunError', 'RUN_SETTINGS_CHANGED', '--class-weights is broken=2,fine=1, but was balanced');
});

test('weights are read from a settings file; a class that does not exist is rejected before training', async () => {
  fs.writeFileSync(inFolder('settings.yaml'), 'class_weights: { broken: 3 }\n');
  const { status, stdout, stderr } = await finetune('file', '--max-steps', '1', '--config', inFolder('settings.yaml'));
  assert.equal(status, 0, stderr);
  assert.ok(stdout.includes('broken 3, fine 1.'));
  const unknown = await finetune('unknown', '--class-weights', 'brokn=3');
  assertFailed(unknown, 2, 'SettingsError', 'CLASS_WEIGHT_UNKNOWN', "'brokn'", 'broken, fine', 'Did you mean broken?');
  assert.equal(fs.existsSync(inFolder('unknown')), false);
});
