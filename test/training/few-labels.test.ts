/**
 * Few labels: logistic regression equals scikit-learn's, the features of the mean of tokens and SetFit's loss and gradients
 * equal PyTorch's, in every family; and the result is an ordinary model. test/fixtures/few_labels.py writes the fixture.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Tensor } from '@tensorflow/tfjs';
import {
  contrastivePairs,
  countPairs,
  packPairs,
  pairBatches,
  selectPairs,
  type PairBatch,
} from '#lib/batching/pairs.js';
import type { NextBatch } from '#lib/batching/positions.js';
import { ArgumentError, ReviewsError, SettingsError } from '#lib/errors.js';
import { balancedWeights, countClasses } from '#lib/evaluation/count-classes.js';
import { logisticRegression } from '#lib/evaluation/logistic-regression.js';
import { packTexts, selectTexts, type EncodedReviews } from '#lib/model/batch.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { familyOf } from '#lib/model/families.js';
import { isFeatureHead } from '#lib/model/features.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { readWeights } from '#lib/model/model.js';
import { batchTensors } from '#lib/model/packed-texts.js';
import { tensorOperations } from '#lib/model/tensor-operations.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { readSettings } from '#lib/settings/settings.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { CheckpointFolder } from '#lib/training/checkpoint.js';
import { computeFeatures, fitHead } from '#lib/training/head.js';
import { lossAndGradients } from '#lib/training/step.js';
import { contrastive } from '#lib/training/tasks/setfit.js';
import { Trainer } from '#lib/training/trainer.js';
import {
  fixtures,
  gradientsDiffer,
  packPadded,
  reference,
  referenceLengths,
  relativeDifference,
  unpack,
  type Packed,
} from '../checkout.js';
import { failure } from '../failure.js';

const expected = JSON.parse(fs.readFileSync(path.join(fixtures, 'few-labels.json'), 'utf8')) as {
  logistic: {
    classWeights: 'none' | 'balanced';
    labels: number[];
    features: Packed;
    weights: number[][];
    intercepts: number[];
  }[];
  contrastive: { targets: number[]; hidden: Packed; loss: number; gradients: Record<string, Packed> };
  means: Packed;
};
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(temporary, { recursive: true }));

const { inputIds } = reference();
const batch = packPadded(inputIds, referenceLengths(reference()));
const texts = Array.from({ length: batch.offsets.length - 1 }, (_, row) => selectTexts(batch, [row]).inputIds);
/** Eight texts of four, with two classes. */
const rows: EncodedReviews = {
  ids: [...texts, ...texts.map((ids) => ids.slice(1))],
  labels: Int32Array.of(0, 1, 0, 1, 1, 1, 0, 1),
};
const load = (method: 'full' | 'head' | 'setfit', folder = 'tiny', layers = fusedLayers) =>
  TextClassifier.fromFolder(path.join(fixtures, folder), { precision: 'float32', layers, method });

for (const { classWeights, labels, features, weights, intercepts } of expected.logistic) {
  const classes = new Set(labels).size;
  test(`logistic regression of ${classes} classes with class weights ${classWeights} has scikit-learn's weights`, () => {
    const [count, columns] = features.shape as [number, number];
    const values = unpack(features);
    const dense = Array.from({ length: count }, (_, row) => ({
      columns: [...Array(columns).keys()],
      values: values.subarray(row * columns, (row + 1) * columns),
    }));
    const byClass = balancedWeights(countClasses(labels, classes));
    const fitted = logisticRegression(dense, labels, {
      columns,
      classes,
      tolerance: 1e-7,
      ...(classWeights === 'balanced' && { rowWeights: labels.map((label) => byClass[label]!) }),
    });
    const found = fitted.weights.flatMap((each) => [...each]);
    const wanted = weights.flatMap((each, i) => [...each, intercepts[i]!]);
    const difference = relativeDifference(found, wanted);
    assert.ok(difference < 1e-4, `weights differ by ${difference}`);
    const probabilities = fitted.probabilities(dense[0]!);
    assert.ok(Math.abs(probabilities.reduce((a, b) => a + b, 0) - 1) < 1e-12 && probabilities.length === classes);
  });
}

test('the appended layer gives the normalized mean of the tokens, as PyTorch computes it', async () => {
  const model = load('head');
  const { shift } = familyOf(model.config).hidden!;
  const features = await computeFeatures(model, { ids: texts, labels: new Int32Array(texts.length) }, { batchSize: 3 });
  const hidden = features.map((value) => value - shift);
  const toHidden = relativeDifference(hidden, unpack(expected.contrastive.hidden));
  assert.ok(toHidden < 1e-5, `hidden states differ by ${toHidden}`);
  // The token's own state counts a thousandth.
  const toMeans = relativeDifference(hidden, unpack(expected.means));
  assert.ok(toMeans < 5e-3, `means differ by ${toMeans}`);
  model.dispose();
});

for (const [implementation, layers] of Object.entries({ composed: composedLayers, fused: fusedLayers }))
  test(`${implementation} layers: loss and gradients of pairs are PyTorch's`, () => {
    const model = load('setfit', 'tiny', layers);
    const pairs = { ...batch, targets: Float32Array.from(expected.contrastive.targets) };
    const trained = [...model.parameters.keys()].filter((name) => !isFeatureHead(name, model.config));
    const inputs = contrastive.tensors(pairs, layers);
    const { loss, gradients } = lossAndGradients(model, contrastive, inputs, trained);
    assert.ok(Math.abs(loss.dataSync()[0]! - expected.contrastive.loss) < 1e-5);
    const { parameter, difference } = gradientsDiffer(gradients, expected.contrastive.gradients);
    assert.ok(difference < 1e-4, `${parameter} differs by ${difference}`);
    model.dispose();
  });

test('pairs are all pairs of two rows, with as many of one class as of two', () => {
  const labels = [0, 1, 0, 2, 1];
  const pairs = contrastivePairs(labels, 1);
  assert.equal(pairs.length, countPairs([2, 2, 1]));
  const isSame = ([i, j]: [number, number]) => labels[i] === labels[j];
  assert.equal(pairs.filter(isSame).length, pairs.length / 2);
  assert.equal(new Set(pairs.map(String)).size, 15);
  assert.deepEqual(contrastivePairs(labels, 1), pairs);
  assert.notDeepEqual(contrastivePairs(labels, 2), pairs);
  // One class has no pairs of two.
  assert.equal(contrastivePairs([0, 0], 1).length, 3);
});

test('batches of pairs resume at a position, and ranks divide them', () => {
  const options = { batchSize: 3, seed: 4 };
  const all = pairBatches(rows, options, { epoch: 0, block: 0, batch: 0 });
  const next = () => all.next().value as NextBatch<PairBatch>;
  const [, second, third] = [next(), next(), next()];
  const [resumed] = pairBatches(rows, options, second.next);
  assert.deepEqual(resumed, third);
  const pairs = packPairs(rows, [
    [0, 1],
    [2, 6],
    [3, 3],
  ]);
  assert.deepEqual([...pairs.targets], [0, 1, 1]);
  const parts = [
    [0, 4, 5],
    [1, 2, 3],
  ].map((part) => selectPairs(pairs, part));
  assert.deepEqual(
    parts.map(({ targets }) => [...targets]),
    [[0], [1, 1]],
  );
  assert.deepEqual(parts[0]!.inputIds, packTexts([rows.ids[0]!, rows.ids[1]!]).inputIds);
});

/** The normalized means of the hidden states of a family's tokens, [texts * dim]. */
function meansOf(model: TextClassifier): number[] {
  const { config, engine } = model;
  const family = familyOf(config);
  const hidden = tf.tidy(() => {
    const operations = tensorOperations(
      readWeights(model),
      batchTensors(packTexts(texts), engine.layers),
      config,
      engine,
    );
    return operations.meanOfTokens(family.encode<Tensor>(operations, config, 'all'));
  });
  const values = hidden.dataSync<'float32'>();
  return texts.flatMap((_, row) => {
    const own = [...values.subarray(row * config.dim, (row + 1) * config.dim)];
    const mean = own.reduce((a, b) => a + b, 0) / config.dim;
    const length = Math.hypot(...own.map((value) => value - mean));
    return own.map((value) => (value - mean) / length);
  });
}

for (const folder of [
  'bert',
  'roberta',
  'xlm-roberta',
  'electra',
  'deberta-v2',
  'modernbert',
  'mpnet',
  'albert',
  'minilm',
])
  test(`${folder}: features, and a head that is an ordinary model`, async () => {
    const base = load('full', folder);
    const model = load('head', folder);
    const { config } = model;
    const family = familyOf(config);
    const data = { ids: texts, labels: Int32Array.from(texts, (_, row) => row % model.labels.length) };
    const features = await computeFeatures(model, data, { batchSize: 64 });
    if (family.layers) {
      const { shift } = family.hidden!;
      const activated = meansOf(base).map((value) => (shift === 0 ? Math.tanh(value) : value));
      const difference = relativeDifference(
        features.map((value) => value - shift),
        activated,
      );
      assert.ok(difference < 5e-3, `features differ by ${difference}`);
      assert.equal(config.n_layers, base.config.n_layers + 1);
    } else assert.equal(config.n_layers, base.config.n_layers);
    await fitHead(model, data, { classWeights: 'none', evalBatchSize: 64 });
    const saved = path.join(temporary, folder);
    model.save(saved);
    const loaded = TextClassifier.fromFolder(saved, { precision: 'float32', layers: fusedLayers });
    assert.equal(loaded.config.model_type, base.config.model_type);
    assert.deepEqual(loaded.logits(packTexts(texts)), model.logits(packTexts(texts)));
    // A second time adds no second layer.
    const again = TextClassifier.fromFolder(saved, { precision: 'float32', layers: fusedLayers, method: 'head' });
    assert.equal(again.config.n_layers, config.n_layers);
    for (const each of [base, model, loaded, again]) each.dispose();
  });

const settings = {
  method: 'setfit',
  epochs: 2,
  batchSize: 4,
  learningRate: 1e-3,
  seed: 3,
  earlyStoppingPatience: 0,
} as const;

test('SetFit separates the classes, evaluates with a fitted head, and resumes with the same result', async () => {
  const model = load('setfit', 'distilbert-multilingual');
  const trainer = new Trainer(model, { ...settings, evalSteps: 5 });
  const checkpoints = new CheckpointFolder(path.join(temporary, 'checkpoints'));
  const result = await trainer.train(rows, { validation: rows, checkpoints });
  assert.equal(result.step, 2 * Math.ceil(countPairs([3, 5]) / 4));
  assert.ok(result.records.at(-1)!.loss < result.records[0]!.loss);
  assert.equal(
    result.records.filter(({ evalAccuracy }) => evalAccuracy !== undefined).length,
    Math.ceil(result.step / 5),
  );
  const { accuracy } = await trainer.evaluate(rows);
  assert.equal(accuracy, result.best!.metrics.accuracy);
  const [first] = checkpoints.steps().slice(-1);
  const folder = checkpoints.path(first!);
  // Later checkpoints are removed, as if the process had been killed.
  for (const step of checkpoints.steps()) if (step !== first) fs.rmSync(checkpoints.path(step), { recursive: true });
  const resumed = TextClassifier.fromFolder(folder, { precision: 'float32', layers: fusedLayers, method: 'setfit' });
  await new Trainer(resumed, { ...settings, evalSteps: 5 }).train(rows, {
    validation: rows,
    checkpoints,
    resumeFrom: checkpoints.newest(),
  });
  const difference = relativeDifference(resumed.logits(batch), model.logits(batch));
  assert.ok(difference < 1e-4, `logits differ by ${difference}`);
  model.dispose();
  resumed.dispose();
});

test('head changes the classifier only, and without a validation set there is no best evaluation', async () => {
  const model = load('head');
  const before = new Map([...model.parameters].map(([name, parameter]) => [name, parameter.data()]));
  const result = await new Trainer(model, { method: 'head' }).train(rows);
  assert.deepEqual([result.end, result.step, result.best, result.records], ['completed', 0, undefined, []]);
  const changed = [...model.parameters].filter(
    ([name, each]) => relativeDifference(each.data(), before.get(name)!) > 0,
  );
  assert.deepEqual(
    changed.map(([name]) => name),
    ['classifier.weight', 'classifier.bias'],
  );
  model.dispose();
});

test('unusable combinations are rejected before training', async () => {
  const assertConflict = (given: Parameters<typeof readSettings>[0], names: string[]) =>
    assert.throws(() => readSettings(given, {}), failure(SettingsError, 'SETTING_CONFLICT', { names }));
  assertConflict({ method: 'setfit', streaming: true }, ['method', 'streaming']);
  assertConflict({ method: 'head', freeze: 2 }, ['method', 'freeze']);
  assertConflict({ method: 'setfit', freeze: 'encoder' }, ['method', 'freeze']);
  const full = load('full');
  assert.throws(() => new Trainer(full, { method: 'head' }), failure(ArgumentError, 'ARGUMENT_METHOD_MISMATCH'));
  full.dispose();
  const model = load('setfit');
  const trainer = new Trainer(model, { method: 'setfit' });
  const frozen = new Trainer(model, { method: 'setfit', freeze: 2 });
  await assert.rejects(frozen.train(rows), failure(SettingsError, 'SETTING_CONFLICT', { names: ['method', 'freeze'] }));
  const oneClass = { ...rows, labels: new Int32Array(rows.labels.length) };
  await assert.rejects(trainer.train(oneClass), failure(ReviewsError, 'REVIEWS_CLASS_NOT_TRAINED'));
  const many = Array.from({ length: 1200 }, (_, row) => row);
  const tooMany = { ids: many.map((row) => texts[row % 4]!), labels: Int32Array.from(many, (row) => row % 2) };
  await assert.rejects(trainer.train(tooMany), failure(SettingsError, 'SETFIT_TOO_MANY_PAIRS'));
  model.dispose();
});

test('a method has its own defaults, which apply unless they are set', () => {
  const { epochs, learningRate, classWeights } = readSettings({ method: 'setfit' }, {});
  assert.deepEqual([epochs, learningRate, classWeights], [1, 2e-5, 'balanced']);
  assert.equal(readSettings({ method: 'setfit', classWeights: 'none' }, {}).classWeights, 'none');
  assert.equal(readSettings({ method: 'setfit', epochs: 3 }, {}).epochs, 3);
  assert.equal(readSettings({ method: 'head' }, {}).epochs, 3);
});
