/**
 * All ways of executing a training step give the same result: captured or eager, with or without XLA, in each
 * precision, with or without gradient accumulation. Memory use does not grow.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import v8 from 'node:v8';
import vm from 'node:vm';
import { SettingsError } from '#lib/errors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { prepareWeights, type EngineOptions } from '#lib/model/model.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { MaskedLM } from '#lib/model/masked-lm.js';
import { parseConfig } from '#lib/model/config.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { graphAddon } from '#lib/tensorflow/graph.js';
import { binding, tf } from '#lib/tensorflow/runtime.js';
import { trainingBatches } from '#lib/batching/batches.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { LossScale } from '#lib/optim/loss-scale.js';
import { TrainingStep, type StepOptions } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { Trainer } from '#lib/training/trainer.js';
import { failure } from '../failure.js';
import { fixtures, relativeDifference, writeTwoLayers } from '../checkout.js';
import { packTexts, textCount, type EncodedBatch, type EncodedReviews } from '#lib/model/batch.js';
import { maskBatch } from '#lib/batching/masking.js';
import { maskedLanguageModeling } from '#lib/training/tasks/masked-lm.js';
import { seededRandom } from '#lib/reviews/random.js';

const config = parseConfig({
  vocab_size: 50,
  dim: 32,
  hidden_dim: 64,
  n_layers: 2,
  n_heads: 2,
  max_position_embeddings: 64,
});

/** Texts of many lengths, of class 1 if they contain token 7, else 0. */
const task = (rows: number): EncodedReviews => {
  const ids = Array.from({ length: rows }, (_, i) =>
    Int32Array.from({ length: 4 + ((i * 7) % 40) }, (_, j) => (j === 2 && i % 2 ? 7 : 10 + ((i * 13 + j * 5) % 39))),
  );
  return { ids, labels: Int32Array.from(ids, (_, i) => i % 2) };
};

/** Trains for some steps and returns their losses and gradient norms in turn, and the number of captured graphs. */
async function trainSteps(
  model: TextClassifier,
  reviews: EncodedReviews,
  steps: number,
  options: StepOptions = {},
  learningRate = 1e-3,
  batchSize = 8,
) {
  const trainingStep = new TrainingStep(model, classification, options);
  const values: number[] = [];
  for (let epoch = 0; values.length < 2 * steps; epoch++)
    for (const batch of trainingBatches(reviews, { batchSize, seed: 1, epoch })) {
      const { loss, gradNorm } = await trainingStep.run([batch], learningRate);
      values.push(loss, gradNorm);
    }
  const { graphs } = trainingStep.captured;
  trainingStep.dispose();
  return { values: values.slice(0, 2 * steps), graphs };
}

test('100 captured steps give the same values as eager ones, with dropout, on layers of a real model', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-engine-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  writeTwoLayers(folder);
  const embedded = TextClassifier.fromFolder(folder);
  const reviews = embedded.encode((await sampleReviews(await embeddedReviews())).slice(0, 12), 24);
  embedded.dispose();
  const run = async (eager: boolean) => {
    const model = TextClassifier.fromFolder(folder, { precision: 'float32', eager });
    const result = await trainSteps(model, reviews, 100, { weightDecay: 0.01 }, 5e-5, 2);
    const weights = model.parameters.get('distilbert.transformer.layer.1.ffn.lin1.weight')!.data().slice();
    model.dispose();
    return { ...result, weights };
  };
  const [captured, eager] = [await run(false), await run(true)];
  assert.equal(captured.graphs, 1);
  assert.equal(eager.graphs, 0);
  captured.values.forEach((value, i) =>
    assert.ok(Math.abs(value / eager.values[i]! - 1) < 1e-5, `${i}: ${value} against ${eager.values[i]}`),
  );
  assert.ok(relativeDifference(captured.weights, eager.weights) < 1e-5);
  assert.ok(captured.values.at(-2)! < captured.values[0]!, 'the loss decreased');
});

test('a graph of the fused layers does not depend on the numbers of tokens and texts, for all families and tasks', async () => {
  const original = { ...graphAddon };
  /** The nodes of each graph: kernel, attributes, inputs and control inputs, or the value of a constant. */
  let graphs: unknown[][] = [];
  let firstId = 0;
  graphAddon.createGraph = () => {
    graphs.push([]);
    firstId = 0;
    return original.createGraph();
  };
  graphAddon.addNode = (graph, kernel, attributes, inputs, ...rest) => {
    const node = original.addNode(graph, kernel, attributes, inputs, ...rest);
    firstId ||= node.outputs[0]!.id;
    graphs.at(-1)!.push([kernel, attributes, inputs.flat().map((id) => firstId - id), rest[0]]);
    return node;
  };
  graphAddon.addConstant = (graph, dtype, shape, values) => {
    graphs.at(-1)!.push([dtype, shape, values]);
    return original.addConstant(graph, dtype, shape, values);
  };
  const random = seededRandom(1);
  const texts = (lengths: number[]) =>
    packTexts(lengths.map((length) => Int32Array.from({ length }, () => 5 + Math.floor(random() * 20))));
  const batches = [texts([3, 20, 7]), texts([24, 2, 9, 11, 24])];
  /** Graphs of a training step, and of an evaluation, of each batch. */
  const capture = async (run: (batch: EncodedBatch) => Promise<void>): Promise<unknown[][][]> => {
    const all: unknown[][][] = [];
    for (const batch of batches) {
      graphs = [];
      await run(batch);
      all.push(graphs);
    }
    return all;
  };
  try {
    for (const name of ['tiny', 'finbert', 'minilm', 'roberta']) {
      const model = TextClassifier.fromFolder(path.join(fixtures, name), { layers: fusedLayers });
      const captured = await capture(async (batch) => {
        const step = new TrainingStep(model, classification, { accumulates: true });
        const labeled = { ...batch, labels: new Int32Array(textCount(batch)) };
        await step.run([labeled, labeled], 1e-3);
        step.dispose();
        model.forward.dispose();
        model.logits(batch);
      });
      assert.equal(captured[0]!.length, 3);
      assert.deepEqual(captured[0], captured[1], name);
      model.dispose();
    }
    for (const name of ['bert', 'roberta']) {
      const model = MaskedLM.fromFolder(path.join(fixtures, 'masked', name), { layers: fusedLayers });
      const captured = await capture(async (batch) => {
        const step = new TrainingStep(model, maskedLanguageModeling);
        await step.run([maskBatch(batch, model.vocabulary, {}, 1)], 1e-3);
        step.dispose();
      });
      assert.equal(captured[0]!.length, 1);
      assert.deepEqual(captured[0], captured[1], `masked ${name}`);
      model.dispose();
    }
  } finally {
    Object.assign(graphAddon, original);
  }
});

test('an epoch of random batches is captured once, and once more for a last batch of one text', async () => {
  const model = TextClassifier.create(config, { layers: fusedLayers });
  const { graphs } = await trainSteps(model, task(97), 13);
  assert.equal(graphs, 2);
  model.dispose();
});

test('XLA gives the same loss curve as the uncompiled graph of the same layers, with dropout', async () => {
  const run = async (options: EngineOptions) => {
    const model = TextClassifier.create(config, { precision: 'float32', layers: composedLayers, ...options });
    model.engine.fused = false;
    const result = await trainSteps(model, task(24), 20, { weightDecay: 0.01 });
    model.dispose();
    return result.values;
  };
  const [plain, compiled] = [await run({}), await run({ jitCompile: true })];
  plain.forEach((value, i) =>
    assert.ok(
      Math.abs(compiled[i]! - value) < 1e-4 * Math.max(1, Math.abs(value)),
      `${i}: ${compiled[i]} against ${value}`,
    ),
  );
});

for (const precision of ['bfloat16', 'float16'] as const)
  test(`training in ${precision} solves a task as in float32`, async () => {
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
    const [expected, actual] = losses as [number[], number[]];
    assert.ok(Math.abs(actual[0]! / expected[0]! - 1) < 0.01, `${actual[0]} against ${expected[0]}`);
    assert.notDeepEqual(actual, expected);
  });

test('after a float16 overflow the step is repeated at half the loss scale and updates the parameters', async () => {
  const batch = trainingBatches(task(8), { batchSize: 8, seed: 1, epoch: 0 })[0]!;
  const runStep = async (precision: 'float32' | 'float16') => {
    const model = TextClassifier.create(config, { precision });
    // With these weights, gradients exceed float16's maximum of 65,504 at the initial loss scale of 65,536.
    const weight = model.parameters.get('classifier.weight')!;
    weight.assign(tf.mul(weight.read(), 5000));
    const trainingStep = new TrainingStep(model, classification);
    const result = { ...(await trainingStep.run([batch], 1e-3)), scale: trainingStep.lossScale };
    trainingStep.dispose();
    const before = TextClassifier.create(config, { precision: 'float32' })
      .parameters.get('pre_classifier.weight')!
      .data();
    assert.ok(relativeDifference(model.parameters.get('pre_classifier.weight')!.data(), before) > 1e-3, 'updated');
    model.dispose();
    return result;
  };
  const [float32, float16] = [await runStep('float32'), await runStep('float16')];
  assert.equal(float32.scale, 1);
  assert.ok(float16.scale < 65536 && float16.scale >= 1, `${float16.scale}`);
  // Logits this large amplify float16's rounding errors, so only the order of magnitude is compared.
  for (const name of ['loss', 'gradNorm'] as const)
    assert.ok(
      Math.abs(Math.log(float16[name] / float32[name])) < 1,
      `${name}: ${float16[name]} against ${float32[name]}`,
    );

  const scale = new LossScale('float16');
  const initial = scale.value;
  assert.equal(scale.update(false), true);
  assert.equal(scale.value, initial / 2);
  for (let i = 0; i < 2000; i++) assert.equal(scale.update(true), false);
  assert.equal(scale.value, initial);
  while (scale.value > 1) assert.equal(scale.update(false), true);
  assert.equal(scale.update(false), false, 'at a scale of 1 the model itself has diverged');
  assert.equal(new LossScale('bfloat16').update(false), false);
});

test('frozen parameters stay unchanged, all others are trained, and freezing too many layers is an error', async () => {
  const names = [...TextClassifier.create(config, { precision: 'float32' }).parameters.keys()];
  for (const [freeze, isFrozen] of [
    ['none', () => false],
    ['embeddings', (name: string) => name.includes('embeddings')],
    [1, (name: string) => name.includes('embeddings') || name.includes('layer.0.')],
    ['encoder', (name: string) => name.startsWith('distilbert.')],
  ] as const) {
    const model = TextClassifier.create(config, { precision: 'float32' });
    const before = new Map([...model.parameters].map(([name, parameter]) => [name, parameter.data().slice()]));
    await new Trainer(model, { freeze, learningRate: 1e-2, maxSteps: 4, weightDecay: 0.1 }).train(task(16));
    for (const name of names) {
      const unchanged = relativeDifference(model.parameters.get(name)!.data(), before.get(name)!) === 0;
      assert.equal(unchanged, isFrozen(name), `${name} with freeze ${freeze}`);
    }
    model.dispose();
  }
  const model = TextClassifier.create(config, { precision: 'float32' });
  const trainFrozen = async (freeze: unknown) => new Trainer(model, { freeze: freeze as number }).train(task(4));
  await assert.rejects(
    trainFrozen(3),
    failure(SettingsError, 'SETTING_INVALID', { name: 'freeze', value: 3, layers: 2 }),
  );
  await assert.rejects(
    trainFrozen('layers'),
    failure(SettingsError, 'SETTING_INVALID', { name: 'freeze', value: 'layers' }),
  );
  model.dispose();
});

test('weight decay does not change a frozen word embedding when the texts use few of its rows', async () => {
  const model = TextClassifier.create(config, { precision: 'float32' });
  const embedding = () => model.parameters.get('distilbert.embeddings.word_embeddings.weight')!.data().slice();
  const before = embedding();
  const reviews = { ids: [Int32Array.of(1, 2, 3), Int32Array.of(1, 4, 3)], labels: Int32Array.of(0, 1) };
  const settings = { freeze: 'embeddings', learningRate: 1e-2, maxSteps: 4, weightDecay: 0.5 } as const;
  await new Trainer(model, settings).train(reviews);
  assert.deepEqual(embedding(), before);
  model.dispose();
});

test('prepared weights give the same logits and do not follow later changes of the parameters', () => {
  const model = TextClassifier.create(config, { precision: 'bfloat16' });
  const batch = trainingBatches(task(8), { batchSize: 8, seed: 1, epoch: 0 })[0]!;
  const prepared = prepareWeights(model);
  const expected = model.logits(batch);
  assert.deepEqual(model.logits(batch, prepared), expected);
  const weight = model.parameters.get('distilbert.transformer.layer.0.ffn.lin1.weight')!;
  weight.assign(tf.mul(weight.read(), 2));
  assert.notDeepEqual(model.logits(batch), expected);
  assert.deepEqual(model.logits(batch, prepared), expected, 'the parameters at the time of preparation');
  tf.dispose(prepared);
  model.dispose();
});

test('gradient accumulation gives the same update as one large batch', async () => {
  const withoutDropout = { ...config, dropout: 0, attention_dropout: 0, seq_classif_dropout: 0 };
  const reviews = task(16);
  const runSteps = async (sizes: number[]) => {
    const model = TextClassifier.create(withoutDropout, { precision: 'float32' });
    const trainingStep = new TrainingStep(model, classification, { accumulates: sizes.length > 1, weightDecay: 0.01 });
    const results = [];
    for (let step = 0; step < 3; step++) {
      let from = 0;
      const all = trainingBatches(reviews, { batchSize: 1, seed: 1, epoch: step });
      const rows = all.map(({ indices }) => indices[0]!);
      const batches = sizes.map((size) => {
        const selected = rows.slice(from, (from += size));
        return trainingBatches(
          {
            ids: selected.map((row) => reviews.ids[row]!),
            labels: Int32Array.from(selected, (row) => reviews.labels[row]!),
          },
          { batchSize: size, seed: 1, epoch: 0 },
        )[0]!;
      });
      results.push(await trainingStep.run(batches, 1e-3));
    }
    const values = [...model.parameters.values()].flatMap((parameter) => [...parameter.data()]);
    trainingStep.dispose();
    model.dispose();
    return { results, values };
  };
  const [single, accumulated] = [await runSteps([16]), await runSteps([6, 6, 4])];
  single.results.forEach(({ loss, gradNorm }, i) => {
    assert.ok(Math.abs(accumulated.results[i]!.loss / loss - 1) < 1e-5);
    assert.ok(Math.abs(accumulated.results[i]!.gradNorm / gradNorm - 1) < 1e-4);
  });
  assert.ok(relativeDifference(accumulated.values, single.values) < 1e-4);
});

test('memory use does not grow over 1,200 steps with many batch shapes', async () => {
  const model = TextClassifier.create(config, { precision: 'float32' });
  const trainingStep = new TrainingStep(model, classification, { weightDecay: 0.01 });
  const reviews = task(96);
  const runSteps = async (count: number) => {
    for (let epoch = 0; count > 0; epoch++)
      for (const batch of trainingBatches(reviews, { batchSize: 8, seed: 1, epoch }))
        if (count-- > 0) await trainingStep.run([batch], 1e-4);
  };
  // Garbage is collected before each measurement: Node 24 keeps more of it than earlier versions.
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const resident = () => {
    collect();
    return process.memoryUsage.rss();
  };
  // After these steps every batch shape has occurred, and the heap has reached its size.
  await runSteps(400);
  const [tensors, nativeTensors] = [tf.memory().numTensors, binding.getNumOfTensors()];
  // A leak grows in all three parts. A single growth of the heap is in one of them only.
  const growths: number[] = [];
  for (let part = 0; part < 3; part++) {
    const before = resident();
    await runSteps(400);
    growths.push((resident() - before) / 400);
  }
  const growth = Math.min(...growths);
  assert.equal(tf.memory().numTensors, tensors);
  assert.equal(binding.getNumOfTensors(), nativeTensors);
  // The counts above find a leak of one tensor per step (64 bytes and more). This bound finds memory that TensorFlow
  // itself leaks.
  assert.ok(growth < 8192, `${growth.toFixed(0)} bytes per step`);
  trainingStep.dispose();
  model.dispose();
});
