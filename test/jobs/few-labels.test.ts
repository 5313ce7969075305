// `tunebook finetune --method head` and `--method setfit`: run folder, export, resume after a signal, several workers, and rejections.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { readSafetensors } from '#lib/model/safetensors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { relativeDifference } from '../checkout.js';
import { starsFlags, start, tunebook, waitForOutput, writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { assertFailed } from '../failure.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-few-labels-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
writeTinyModel(inFolder('model'), 0);
writeStarsCsv(inFolder('stars.csv'));
const flags = (run: string, ...more: string[]) => [
  'finetune',
  ...[...starsFlags(inFolder('stars.csv')), '--model', inFolder('model'), '--max-length', '24'],
  ...['--precision', 'float32', '--run-folder', inFolder(run), ...more],
];
/** Flags of a run with 24 training reviews. */
const fewFlags = (run: string, ...more: string[]) => flags(run, '--max-train-samples', '24', ...more);
const weightsOf = (run: string) =>
  [...readSafetensors(inFolder(run, 'model/model.safetensors')).values()].flatMap(({ data }) => [...data]);

test('head: no steps, one evaluation of each set, and a model that is exported with the same predictions', async () => {
  const { status, stderr, stdout } = await tunebook(fewFlags('head', '--method', 'head'));
  assert.equal(status, 0, stderr);
  assert.match(stdout, /mean of the tokens, which layer 3 computes/);
  const { training, validation, test, classWeights } = new RunFolder(inFolder('head')).read<FinetuneMetrics>(
    'metrics.json',
  )!;
  assert.deepEqual([training.step, training.samples, validation!.step], [0, 24, 0]);
  assert.ok(test.accuracy > 0.8 && classWeights);
  const model = TextClassifier.fromFolder(inFolder('head/model'));
  assert.equal(model.config.n_layers, 3);
  model.dispose();
  const exported = await tunebook(['export', inFolder('head')]);
  assert.match(exported.stdout, /same prediction as TensorFlow for 100\.0 %/, exported.stderr);
});

test('setfit: a run that a signal stopped resumes with the result of an uninterrupted one', async () => {
  const setfit = ['--method', 'setfit', '--eval-steps', '10', '--lr', '1e-3'];
  const whole = await tunebook(fewFlags('whole', ...setfit));
  assert.equal(whole.status, 0, whole.stderr);
  const { origins } = new RunFolder(inFolder('whole')).settings!;
  assert.deepEqual([origins.epochs, origins.learningRate, origins.method], ['method', 'command line', 'command line']);
  const { child, ended } = start(fewFlags('stopped', ...setfit, '--json'));
  await waitForOutput(child, '"step":5,');
  child.kill('SIGTERM');
  assert.equal((await ended).status, 143);
  const resumed = await tunebook(fewFlags('stopped', ...setfit, '--resume'));
  assert.equal(resumed.status, 0, resumed.stderr);
  const difference = relativeDifference(weightsOf('stopped'), weightsOf('whole'));
  assert.ok(difference < 1e-4, `weights differ by ${difference}`);
});

test('setfit with two workers has the result of one', async () => {
  const setfit = ['--method', 'setfit', '--max-steps', '6'];
  const one = await tunebook(fewFlags('one', ...setfit));
  assert.equal(one.status, 0, one.stderr);
  const two = await tunebook(['launch', '--workers', '2', ...fewFlags('two', ...setfit)]);
  assert.equal(two.status, 0, two.stderr);
  const difference = relativeDifference(weightsOf('two'), weightsOf('one'));
  assert.ok(difference < 1e-3, `weights differ by ${difference}`);
});

test('streaming, and freezing what is trained, are rejected before anything is read', async () => {
  const rejected = async (...more: string[]) => {
    const result = await tunebook(flags('rejected', ...more));
    assertFailed(result, 2, 'SettingsError', 'SETTING_CONFLICT', '--method');
    assert.ok(!fs.existsSync(inFolder('rejected')));
  };
  await rejected('--method', 'setfit', '--streaming');
  await rejected('--method', 'head', '--freeze', '1');
});
