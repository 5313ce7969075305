// The engines do the same work: captured as graphs or eagerly, by XLA or not, in more bits or fewer; and they keep nothing.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import v8 from 'node:v8';
import vm from 'node:vm';
import { ArgumentError, SettingsError } from '#lib/errors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { prepareWeights, type EngineOptions } from '#lib/model/model.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { parseConfig } from '#lib/model/config.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { binding, tf } from '#lib/tensorflow/runtime.js';
import { trainingBatches } from '#lib/batching/batches.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { LossScale } from '#lib/optim/loss-scale.js';
import { TrainingStep, type StepOptions } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { Trainer } from '#lib/training/trainer.js';
import { failure } from '../failure.js';
import { relativeDifference, writeTwoLayers } from '../checkout.js';
import type { EncodedReviews } from '#lib/model/batch.js';

const config = parseConfig({
  vocab_size: 50,
  dim: 32,
  hidden_dim: 64,
  n_layers: 2,
  n_heads: 2,
  max_position_embeddings: 64,
});

/** Texts of many lengths whose class is whether they hold token 7. */
const task = (rows: number): EncodedReviews => {
  const ids = Array.from({ length: rows }, (_, i) =>
    Int32Array.from({ length: 4 + ((i * 7) % 40) }, (_, j) => (j === 2 && i % 2 ? 7 : 10 + ((i * 13 + j * 5) % 39))),
  );
  return { ids, labels: Int32Array.from(ids, (_, i) => i % 2) };
};

/** Losses and gradients' lengths of some steps. */
function curve(
  model: TextClassifier,
  reviews: EncodedReviews,
  steps: number,
  options: StepOptions = {},
  learningRate = 1e-3,
  batchSize = 8,
) {
  const trainingStep = new TrainingStep(model, classification, options);
  const numbers: number[] = [];
  for (let epoch = 0; numbers.length < 2 * steps; epoch++)
    for (const batch of trainingBatches(reviews, { batchSize, seed: 1, epoch })) {
      const { loss, gradNorm } = trainingStep.run([batch], learningRate);
      numbers.push(loss, gradNorm);
    }
  const { graphs } = trainingStep.captured;
  trainingStep.dispose();
  return { numbers: numbers.slice(0, 2 * steps), graphs };
}

test('100 steps with dropout, captured and eager: the same numbers, on layers of a real model', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-engine-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  writeTwoLayers(folder);
  const embedded = TextClassifier.fromFolder(folder);
  const reviews = embedded.encode((await sampleReviews(embeddedReviews())).slice(0, 12), 24);
  embedded.dispose();
  const [captured, eager] = [false, true].map((eager) => {
    const model = TextClassifier.fromFolder(folder, { precision: 'float32', eager });
    const found = curve(model, reviews, 100, { weightDecay: 0.01 }, 5e-5, 2);
    const weights = model.parameters.get('distilbert.transformer.layer.1.ffn.lin1.weight')!.data().slice();
    model.dispose();
    return { ...found, weights };
  });
  assert.ok(captured!.graphs >= 2 && captured!.graphs <= 4, `${captured!.graphs} shapes`);
  assert.equal(eager!.graphs, 0);
  captured!.numbers.forEach((value, i) =>
    assert.ok(Math.abs(value / eager!.numbers[i]! - 1) < 1e-5, `${i}: ${value} against ${eager!.numbers[i]}`),
  );
  assert.ok(relativeDifference(captured!.weights, eager!.weights) < 1e-5);
  assert.ok(captured!.numbers.at(-2)! < captured!.numbers[0]!, 'something was learnt');
});

test('compiled by XLA: the same curve as the same parts in a plain graph, dropout included, and its time is told', () => {
  const run = (options: EngineOptions) => {
    const model = TextClassifier.create(config, { precision: 'float32', layers: composedLayers, ...options });
    model.engine.fused = false;
    const found = curve(model, task(24), 20, { weightDecay: 0.01 });
    model.dispose();
    return found.numbers;
  };
  const [plain, compiled] = [run({}), run({ jitCompile: true })];
  plain.forEach((value, i) =>
    assert.ok(
      Math.abs(compiled[i]! - value) < 1e-4 * Math.max(1, Math.abs(value)),
      `${i}: ${compiled[i]} against ${value}`,
    ),
  );
});

for (const precision of ['bfloat16', 'float16'] as const)
  test(`in ${precision} a task is learnt as in float32`, async () => {
    const losses: number[][] = [];
    for (const each of ['float32', precision] as const) {
      const model = TextClassifier.create(config, { precision: each });
      const data = task(64);
      const { records, engine } = await new Trainer(model, { learningRate: 3e-3, epochs: 25, batchSize: 8 }).train(
        data,
      );
      assert.equal(engine, `graph, ${each}`);
      assert.ok((await evaluate(model, data)).metrics.accuracy > 0.95);
      losses.push(records.map(({ loss }) => loss));
      model.dispose();
    }
    const [wide, narrow] = losses as [number[], number[]];
    assert.ok(Math.abs(narrow[0]! / wide[0]! - 1) < 0.01, `${narrow[0]} against ${wide[0]}`);
    assert.notDeepEqual(narrow, wide);
  });

test('a gradient beyond float16 is taken again at half the scale, and nothing of the step is lost', () => {
  const batch = trainingBatches(task(8), { batchSize: 8, seed: 1, epoch: 0 })[0]!;
  const large = (precision: 'float32' | 'float16') => {
    const model = TextClassifier.create(config, { precision });
    // The gradient behind it, times the first scale of 65,536, is beyond 65,504.
    const weight = model.parameters.get('classifier.weight')!;
    weight.assign(tf.mul(weight.read(), 1000));
    const trainingStep = new TrainingStep(model, classification);
    const found = { ...trainingStep.run([batch], 1e-3), scale: trainingStep.lossScale };
    trainingStep.dispose();
    const before = TextClassifier.create(config).parameters.get('pre_classifier.weight')!.data();
    assert.ok(relativeDifference(model.parameters.get('pre_classifier.weight')!.data(), before) > 1e-3, 'updated');
    model.dispose();
    return found;
  };
  const [wide, narrow] = [large('float32'), large('float16')];
  assert.equal(wide.scale, 1);
  assert.ok(narrow.scale < 65536 && narrow.scale >= 1, `${narrow.scale}`);
  // Logits this large amplify float16's rounding: only the size can be compared.
  for (const name of ['loss', 'gradNorm'] as const)
    assert.ok(Math.abs(Math.log(narrow[name] / wide[name])) < 1, `${name}: ${narrow[name]} against ${wide[name]}`);

  const scale = new LossScale('float16');
  const first = scale.value;
  assert.equal(scale.update(false), true);
  assert.equal(scale.value, first / 2);
  for (let i = 0; i < 2000; i++) assert.equal(scale.update(true), false);
  assert.equal(scale.value, first);
  while (scale.value > 1) assert.equal(scale.update(false), true);
  assert.equal(scale.update(false), false, 'below 1 it is the model that diverges');
  assert.equal(new LossScale('bfloat16').update(false), false);
});

test('frozen parts stay as they are, all others learn, and too many layers are refused', async () => {
  const names = [...TextClassifier.create(config).parameters.keys()];
  for (const [freeze, isFrozen] of [
    ['none', () => false],
    ['embeddings', (name: string) => name.includes('embeddings')],
    [1, (name: string) => name.includes('embeddings') || name.includes('layer.0.')],
    ['encoder', (name: string) => name.startsWith('distilbert.')],
  ] as const) {
    const model = TextClassifier.create(config);
    const before = new Map([...model.parameters].map(([name, parameter]) => [name, parameter.data().slice()]));
    await new Trainer(model, { freeze, learningRate: 1e-2, maxSteps: 4, weightDecay: 0.1 }).train(task(16));
    for (const name of names) {
      const same = relativeDifference(model.parameters.get(name)!.data(), before.get(name)!) === 0;
      assert.equal(same, isFrozen(name), `${name} with freeze ${freeze}`);
    }
    model.dispose();
  }
  const model = TextClassifier.create(config);
  const refused = async (freeze: unknown) => new Trainer(model, { freeze: freeze as number }).train(task(4));
  await assert.rejects(refused(3), failure(ArgumentError, 'ARGUMENT_TOO_MANY_LAYERS', { freeze: 3, layers: 2 }));
  await assert.rejects(
    refused('layers'),
    failure(SettingsError, 'SETTING_INVALID', { name: 'freeze', value: 'layers' }),
  );
  model.dispose();
});

test('a frozen word embedding does not decay where texts use few of its rows', async () => {
  const model = TextClassifier.create(config);
  const table = () => model.parameters.get('distilbert.embeddings.word_embeddings.weight')!.data().slice();
  const before = table();
  const few = { ids: [Int32Array.of(1, 2, 3), Int32Array.of(1, 4, 3)], labels: Int32Array.of(0, 1) };
  const frozen = { freeze: 'embeddings', learningRate: 1e-2, maxSteps: 4, weightDecay: 0.5 } as const;
  await new Trainer(model, frozen).train(few);
  assert.deepEqual(table(), before);
  model.dispose();
});

test('weights rounded beforehand are the ones that a pass uses', () => {
  const model = TextClassifier.create(config, { precision: 'bfloat16' });
  const batch = trainingBatches(task(8), { batchSize: 8, seed: 1, epoch: 0 })[0]!;
  const prepared = prepareWeights(model);
  const expected = model.logits(batch);
  assert.deepEqual(model.logits(batch, prepared), expected);
  const weight = model.parameters.get('distilbert.transformer.layer.0.ffn.lin1.weight')!;
  weight.assign(tf.mul(weight.read(), 2));
  assert.notDeepEqual(model.logits(batch), expected);
  assert.deepEqual(model.logits(batch, prepared), expected, 'as they were when they were prepared');
  tf.dispose(prepared);
  model.dispose();
});

test('accumulated batches make the update that one large batch makes', () => {
  const still = { ...config, dropout: 0, attention_dropout: 0, seq_classif_dropout: 0 };
  const reviews = task(16);
  const update = (sizes: number[]) => {
    const model = TextClassifier.create(still, { precision: 'float32' });
    const trainingStep = new TrainingStep(model, classification, { accumulates: sizes.length > 1, weightDecay: 0.01 });
    const results = [];
    for (let step = 0; step < 3; step++) {
      let from = 0;
      const all = trainingBatches(reviews, { batchSize: 1, seed: 1, epoch: step, groupByLength: false });
      const rows = all.map(({ indices }) => indices[0]!);
      const batches = sizes.map((size) => {
        const part = rows.slice(from, (from += size));
        return trainingBatches(
          { ids: part.map((row) => reviews.ids[row]!), labels: Int32Array.from(part, (row) => reviews.labels[row]!) },
          { batchSize: size, seed: 1, epoch: 0 },
        )[0]!;
      });
      results.push(trainingStep.run(batches, 1e-3));
    }
    const values = [...model.parameters.values()].flatMap((parameter) => [...parameter.data()]);
    trainingStep.dispose();
    model.dispose();
    return { results, values };
  };
  const [one, several] = [update([16]), update([6, 6, 4])];
  one.results.forEach(({ loss, gradNorm }, i) => {
    assert.ok(Math.abs(several.results[i]!.loss / loss - 1) < 1e-5);
    assert.ok(Math.abs(several.results[i]!.gradNorm / gradNorm - 1) < 1e-4);
  });
  assert.ok(relativeDifference(several.values, one.values) < 1e-4);
});

test('memory is level over 1,200 steps of many shapes', () => {
  const model = TextClassifier.create(config);
  const trainingStep = new TrainingStep(model, classification, { weightDecay: 0.01 });
  const reviews = task(96);
  const steps = (count: number) => {
    for (let epoch = 0; count > 0; epoch++)
      for (const batch of trainingBatches(reviews, { batchSize: 8, seed: 1, epoch }))
        if (count-- > 0) trainingStep.run([batch], 1e-4);
  };
  // JavaScript's garbage is not what is asked for, and Node 24 lets more of it lie.
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const resident = () => {
    collect();
    return process.memoryUsage.rss();
  };
  // Every shape has come by then, and the heap has its size.
  steps(400);
  const [tensors, natives] = [tf.memory().numTensors, binding.getNumOfTensors()];
  // What leaks grows always; what the heap takes at once and keeps is in one part of the three.
  const growths = [0, 1, 2].map(() => {
    const before = resident();
    steps(400);
    return (resident() - before) / 400;
  });
  const growth = Math.min(...growths);
  assert.equal(tf.memory().numTensors, tensors);
  assert.equal(binding.getNumOfTensors(), natives);
  // A kernel's smallest tensor takes 64 bytes and its handle more: one forgotten a step would be seen above; this is for
  // what TensorFlow itself might keep.
  assert.ok(growth < 8192, `${growth.toFixed(0)} bytes a step`);
  trainingStep.dispose();
  model.dispose();
});
