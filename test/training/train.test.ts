/** Training of a classifier: gradients, dropout, schedules, early stopping, interrupts, errors, and saved models. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ArgumentError, DivergedError, ModelFormatError, SettingsError } from '#lib/errors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { parseConfig } from '#lib/model/config.js';
import { dropoutSource, seedOfPass } from '#lib/model/dropout.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { statelessKeep } from '#lib/tensorflow/kernels.js';
import { trainingBatches } from '#lib/batching/batches.js';
import { addScore, startEarlyStopping } from '#lib/training/early-stopping.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { Trainer } from '#lib/training/trainer.js';
import { trainingSettings } from '#lib/settings/settings.js';
import { failure } from '../failure.js';
import { embeddedModel, relativeDifference } from '../checkout.js';
import { packBatch, packTexts, type EncodedReviews } from '#lib/model/batch.js';

const config = parseConfig({
  vocab_size: 50,
  dim: 16,
  hidden_dim: 32,
  n_layers: 2,
  n_heads: 2,
  max_position_embeddings: 16,
});
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** Texts of class 1 if they contain token 7, else 0. */
const task = (rows: number): EncodedReviews => {
  const ids = Array.from({ length: rows }, (_, i) =>
    Int32Array.from({ length: 4 + (i % 5) }, (_, j) => (j === 2 && i % 2 ? 7 : 10 + ((i * 13 + j * 5) % 39))),
  );
  return { ids, labels: Int32Array.from(ids, (_, i) => i % 2) };
};
const values = (model: TextClassifier) => [...model.parameters.values()].flatMap((parameter) => [...parameter.data()]);

for (const [implementation, layers] of Object.entries({ fused: fusedLayers, composed: composedLayers }))
  test(`${implementation} layers: gradients match finite differences, with dropout and texts of different lengths`, () => {
    const model = TextClassifier.create({ ...config, initializer_range: 0.3 }, { precision: 'float32', layers });
    const batch = packBatch(task(6), [0, 1, 2, 3, 4, 5]);
    // With this seed no ReLU switches between the two points of a finite difference.
    const inputs = { ...classification.tensors(batch, layers), seed: seedOfPass(9, 0) };
    const loss = () => {
      const result = lossAndGradients(model, classification, inputs);
      tf.dispose([...result.gradients.values()]);
      return result.loss.dataSync()[0]!;
    };
    const { gradients } = lossAndGradients(model, classification, inputs);
    for (const [name, parameter] of model.parameters) {
      const gradient = gradients.get(name)!.dataSync<'float32'>();
      const index = gradient.reduce((best, value, i) => (Math.abs(value) > Math.abs(gradient[best]!) ? i : best), 0);
      if (Math.abs(gradient[index]!) < 1e-3) continue;
      const original = parameter.data().slice();
      const lossAt = (offset: number) => {
        const moved = original.slice();
        moved[index]! += offset;
        parameter.assign(tf.tensor(moved, parameter.shape));
        return loss();
      };
      const step = 3e-3;
      const slope = (lossAt(step) - lossAt(-step)) / (2 * step);
      parameter.assign(tf.tensor(original, parameter.shape));
      assert.ok(
        Math.abs(slope - gradient[index]!) < 0.02 * Math.abs(gradient[index]!) + 1e-4,
        `${name}: ${gradient[index]} against ${slope}`,
      );
    }
    model.dispose();
  });

test('training solves a small task, with and without gradient accumulation', async () => {
  for (const gradientAccumulationSteps of [1, 2]) {
    const model = TextClassifier.create(config, { precision: 'float32' });
    const data = task(64);
    await new Trainer(model, { learningRate: 3e-3, epochs: 30, batchSize: 8, gradientAccumulationSteps }).train(data);
    const { metrics } = await evaluate(model, data);
    assert.ok(metrics.accuracy > 0.95, `${metrics.accuracy}`);
    model.dispose();
  }
});

test('training only the used rows of the word embedding gives the same result as training all rows', async () => {
  const data = task(24);
  const used = new Set(data.ids.flatMap((ids) => [...ids]));
  assert.ok(used.size < 0.8 * config.vocab_size && !used.has(5));
  const settings = trainingSettings({
    learningRate: 1e-2,
    weightDecay: 0.5,
    maxSteps: 9,
    batchSize: 8,
    maxGradNorm: 0.05,
  });
  const usedRowsModel = TextClassifier.create(config, { precision: 'float32' });
  await new Trainer(usedRowsModel, settings).train(data);

  const allRowsModel = TextClassifier.create(config, { precision: 'float32' });
  const trainingStep = new TrainingStep(allRowsModel, classification, {
    weightDecay: settings.weightDecay,
    maxGradNorm: settings.maxGradNorm,
    seed: settings.seed,
  });
  for (let step = 0; step < 9; step++) {
    const batches = trainingBatches(data, { batchSize: 8, seed: settings.seed, epoch: Math.floor(step / 3) });
    const learningRate = settings.learningRate * learningRateFactor(step, 9, 1, 'linear');
    const { gradNorm } = await trainingStep.run([batches[step % 3]!], learningRate);
    assert.ok(gradNorm > settings.maxGradNorm);
  }
  const table = 'distilbert.embeddings.word_embeddings.weight';
  const row = (model: TextClassifier) =>
    model.parameters
      .get(table)!
      .data()
      .slice(5 * config.dim, 6 * config.dim);
  const untrained = TextClassifier.create(config, { precision: 'float32' });
  assert.ok(relativeDifference(row(usedRowsModel), row(untrained)) > 0.01, 'weight decay applies to unused rows too');
  assert.ok(relativeDifference(row(usedRowsModel), row(allRowsModel)) < 1e-5);
  const difference = relativeDifference(values(usedRowsModel), values(allRowsModel));
  assert.ok(difference < 1e-4, `${difference}`);
  trainingStep.dispose();
  for (const model of [usedRowsModel, allRowsModel, untrained]) model.dispose();
});

test('a model can overfit one batch', async () => {
  const model = TextClassifier.create(config, { precision: 'float32' });
  const { records } = await new Trainer(model, { learningRate: 1e-2, maxSteps: 80, batchSize: 8 }).train(task(8));
  assert.ok(Math.abs(records[0]!.loss - Math.LN2) < 0.05, 'the loss of an untrained model is ln 2');
  assert.ok(records.at(-1)!.loss < 0.05, `${records.at(-1)!.loss}`);
  model.dispose();
});

test('dropout zeroes a fraction of the values and scales the others so that the mean stays the same', () => {
  tf.tidy(() => {
    // An odd count, since one 32-bit draw serves two elements.
    const keep = statelessKeep([99_999], 0.3, tf.tensor1d([1, 2], 'int32'));
    assert.ok(Math.abs(tf.mean(tf.cast(keep, 'float32')).dataSync()[0]! - 0.7) < 0.01);
    const sameSeed = statelessKeep([99_999], 0.3, tf.tensor1d([1, 2], 'int32'));
    const otherSeed = statelessKeep([99_999], 0.3, tf.tensor1d([1, 3], 'int32'));
    assert.deepEqual(keep.dataSync(), sameSeed.dataSync());
    assert.notDeepEqual(keep.dataSync(), otherSeed.dataSync());
    for (const layers of [fusedLayers, composedLayers]) {
      const ones = tf.fill([400, 250], 1);
      const dropped = layers.dropout(ones, 0.3, dropoutSource(seedOfPass(1, 1)));
      assert.ok(Math.abs(tf.mean(dropped).dataSync()[0]! - 1) < 0.01);
      assert.deepEqual(
        [...new Set(dropped.dataSync())].sort((a, b) => a - b),
        [0, Math.fround(1 / 0.7)],
      );
      // Values are independent: two are equal with probability 0.3 · 0.3 + 0.7 · 0.7 = 0.58.
      const output = dropped.dataSync();
      const equalFraction = (offset: number) =>
        output.filter((value, i) => i >= offset && value === output[i - offset]).length / 1e5;
      for (const offset of [1, 2, 250])
        assert.ok(Math.abs(equalFraction(offset) - 0.58) < 0.01, `offset ${offset}: ${equalFraction(offset)}`);
      const nextOutput = layers.dropout(ones, 0.3, dropoutSource(seedOfPass(1, 2))).dataSync();
      const equalToNext = output.filter((value, i) => value === nextOutput[i]).length / 1e5;
      assert.ok(Math.abs(equalToNext - 0.58) < 0.01, `next pass: ${equalToNext}`);
    }
  });
});

test('the same seed gives the same result, another seed a different one', async () => {
  const run = async (seed: number) => {
    const model = TextClassifier.create(config, { precision: 'float32' });
    await new Trainer(model, { seed, epochs: 2, batchSize: 8 }).train(task(32));
    const result = values(model);
    model.dispose();
    return result;
  };
  const [first, second, other] = [await run(1), await run(1), await run(2)];
  assert.ok(relativeDifference(first, second) < 1e-6);
  assert.ok(relativeDifference(first, other) > 1e-4);
});

test('200 steps with evaluations leak no tensors', async () => {
  const model = TextClassifier.create(config, { precision: 'float32' });
  const counts: number[] = [];
  await new Trainer(model, { maxSteps: 200, batchSize: 8, evalSteps: 20, earlyStoppingPatience: 0 }).train(task(32), {
    validation: task(8),
    onRecord: () => counts.push(tf.memory().numTensors),
  });
  assert.equal(counts.length, 200);
  assert.equal(counts.at(-1), counts[0]);
  model.dispose();
});

test('an interrupt stops training after the current step and leaves the model usable', async () => {
  const model = TextClassifier.create(config, { precision: 'float32' });
  const controller = new AbortController();
  const result = await new Trainer(model, { batchSize: 8 }).train(task(64), {
    signal: controller.signal,
    onRecord: ({ step }) => step === 3 && controller.abort(),
  });
  assert.equal(result.end, 'interrupted');
  assert.equal(result.records.length, 3);
  assert.ok((await evaluate(model, task(8))).metrics.loss < 1);
  model.dispose();
});

test('a NaN loss is an error that reports the step and leaves the parameters unchanged', async () => {
  const model = TextClassifier.create(config, { precision: 'float32' });
  model.parameters.get('classifier.bias')!.assign(tf.tensor1d([NaN, 0]));
  const before = model.parameters.get('pre_classifier.weight')!.data().slice();
  await assert.rejects(
    new Trainer(model, { batchSize: 8 }).train(task(16)),
    failure(DivergedError, 'TRAINING_DIVERGED', { step: 1, loss: NaN }),
  );
  assert.deepEqual(model.parameters.get('pre_classifier.weight')!.data(), before);
  model.dispose();
});

test('training stops when evaluations no longer improve, and keeps the best model', async () => {
  const model = TextClassifier.create(config, { precision: 'float32' });
  const data = task(32);
  const result = await new Trainer(model, {
    learningRate: 3e-3,
    epochs: 100,
    batchSize: 8,
    earlyStoppingPatience: 2,
  }).train(data, { validation: data });
  assert.equal(result.end, 'early stopping');
  const best = Math.max(...result.records.flatMap(({ evalAccuracy }) => evalAccuracy ?? []));
  assert.equal(result.best?.metrics.accuracy, best);
  assert.equal((await evaluate(model, data)).metrics.accuracy, best);
  model.dispose();
});

test('early stopping counts small improvements, except those below the threshold', () => {
  const state = startEarlyStopping();
  const settings = { earlyStoppingPatience: 2, earlyStoppingThreshold: 0.001 };
  assert.deepEqual(
    [0.9, 0.902, 0.9021, 0.9022].map((accuracy) => addScore(state, accuracy, settings).stop),
    [false, false, false, true],
  );
});

test('of equal evaluations the later one is the best, and does not count as an improvement', () => {
  const settings = trainingSettings({ earlyStoppingPatience: 2 });
  const state = startEarlyStopping();
  assert.deepEqual(
    [0.97, 0.97, 0.96].map((accuracy) => addScore(state, accuracy, settings)),
    [
      { isBest: true, stop: false },
      { isBest: true, stop: false },
      { isBest: false, stop: true },
    ],
  );
});

test('invalid or unknown settings and an empty training set are errors', async () => {
  const model = TextClassifier.create(config, { precision: 'float32' });
  const trainWith = async (settings: object) => new Trainer(model, settings).train(task(4));
  await assert.rejects(
    trainWith({ learningRate: -1 }),
    failure(SettingsError, 'SETTING_INVALID', { name: 'learningRate', value: -1 }),
  );
  await assert.rejects(
    trainWith({ batchSize: 2.5 }),
    failure(SettingsError, 'SETTING_INVALID', { name: 'batchSize', value: 2.5 }),
  );
  await assert.rejects(
    trainWith({ learning_rate: 1 }),
    failure(SettingsError, 'SETTING_UNKNOWN', { name: 'learning_rate' }),
  );
  await assert.rejects(
    new Trainer(model).train({ ids: [], labels: new Int32Array() }),
    failure(ArgumentError, 'ARGUMENT_NO_ROWS'),
  );
  model.dispose();
});

test('learning-rate schedules warm up, decay and end at 0', () => {
  assert.equal(learningRateFactor(0, 100, 10, 'linear'), 0);
  assert.equal(learningRateFactor(10, 100, 10, 'linear'), 1);
  assert.equal(learningRateFactor(55, 100, 10, 'linear'), 0.5);
  assert.ok(Math.abs(learningRateFactor(55, 100, 10, 'cosine') - 0.5) < 1e-12);
  assert.ok(learningRateFactor(100, 100, 10, 'cosine') < 1e-12);
});

test('a saved model loads with identical logits and the same configuration, label names included', () => {
  const model = TextClassifier.fromFolder(embeddedModel, { labels: ['bad', 'good'], precision: 'float32' });
  assert.match(model.notes.join(), /Randomly initialized: pre_classifier\.weight/);
  const saved = path.join(folder, 'saved');
  model.save(saved);
  const loaded = TextClassifier.fromFolder(saved, { precision: 'float32' });
  assert.deepEqual(loaded.notes, []);
  assert.deepEqual(loaded.config, model.config);
  const batch = packTexts([Int32Array.of(101, 2307, 102), Int32Array.of(101, 102)]);
  assert.deepEqual(loaded.logits(batch), model.logits(batch));
  loaded.dispose();
  model.dispose();
});

test('a folder without a model, a truncated file and an unsupported configuration are errors', () => {
  assert.throws(
    () => TextClassifier.fromFolder(path.join(folder, 'nowhere')),
    failure(ModelFormatError, 'MODEL_NO_FILE', { file: 'config.json' }),
  );
  const truncated = path.join(folder, 'cut');
  fs.cpSync(embeddedModel, truncated, { recursive: true });
  fs.truncateSync(path.join(truncated, 'model.safetensors'), 1_000_000);
  assert.throws(
    () => TextClassifier.fromFolder(truncated),
    failure(ModelFormatError, 'MODEL_FILE_DAMAGED', { file: path.join(truncated, 'model.safetensors') }),
  );
  assert.throws(
    () => parseConfig({ model_type: 'gpt2' }),
    failure(ModelFormatError, 'MODEL_TYPE_UNSUPPORTED', { modelType: 'gpt2' }),
  );
  assert.throws(
    () => parseConfig({ dim: 10, n_heads: 3 }),
    failure(ModelFormatError, 'MODEL_CONFIG_INVALID', { name: 'dim', value: 10 }),
  );
});
