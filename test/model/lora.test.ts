/**
 * LoRA: adapters of PEFT are merged to the same logits, training has PEFT's losses, and adapters are written with PEFT's
 * names. test/fixtures/lora.py writes the fixtures; it also loads a written adapter with PEFT.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ModelFormatError, SettingsError } from '#lib/errors.js';
import { packTexts, type LabeledBatch } from '#lib/model/batch.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { LoraTraining, loraTargets } from '#lib/model/lora.js';
import { mergeAdapter, readPeftAdapter, savePeftAdapter } from '#lib/model/peft-adapter.js';
import { readSafetensors, writeSafetensors, type StoredTensor } from '#lib/model/safetensors.js';
import { parameterValues } from '#lib/model/model.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { CheckpointFolder } from '#lib/training/checkpoint.js';
import { TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { Trainer } from '#lib/training/trainer.js';
import { writeTinyModel } from '../cli/command.js';
import { fixtures, packPadded, reference, relativeDifference } from '../checkout.js';
import { failure } from '../failure.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-lora-'));
after(() => fs.rmSync(folder, { recursive: true }));
const fixture = (...names: string[]) => path.join(fixtures, 'lora', ...names);
const tiny = (layers = fusedLayers) =>
  TextClassifier.fromFolder(path.join(fixtures, 'tiny'), { precision: 'float32', layers });
const logitsOf = (model: TextClassifier, ids: number[]) => model.logits(packTexts([Int32Array.from(ids)]));
const rows = {
  ids: [Int32Array.of(2, 7, 8, 3), Int32Array.of(2, 9, 3), Int32Array.of(2, 5, 11, 3), Int32Array.of(2, 8, 6, 3)],
  labels: Int32Array.of(0, 1, 0, 1),
};
const settings = { loraRank: 2, learningRate: 0.01, batchSize: 2, warmupSteps: 0 };

for (const name of ['plain', 'patterns'])
  test(`the adapter '${name}' of PEFT, merged, gives PEFT's logits`, () => {
    const { ids, logits } = JSON.parse(fs.readFileSync(fixture(name, 'logits.json'), 'utf8')) as {
      ids: number[];
      logits: number[];
    };
    const model = tiny();
    const before = logitsOf(model, ids);
    mergeAdapter(model, readPeftAdapter(fixture(name)));
    assert.ok(relativeDifference(before, logits) > 0.1);
    assert.ok(relativeDifference(logitsOf(model, ids), logits) < 1e-5);
    model.dispose();
  });

for (const [implementation, layers] of Object.entries({ fused: fusedLayers, composed: composedLayers }))
  test(`${implementation} layers: the losses of 20 training steps are PEFT's`, async () => {
    const losses = JSON.parse(fs.readFileSync(fixture('plain', 'losses.json'), 'utf8')) as number[];
    const { curve } = reference();
    const model = tiny(layers);
    const lora = new LoraTraining(
      model,
      { r: 4, lora_alpha: 16, lora_dropout: 0, target_modules: ['q_lin', 'v_lin'] },
      1,
    );
    const { tensors } = readPeftAdapter(fixture('plain'));
    const frozen = parameterValues(model);
    const start = new Map<string, StoredTensor>();
    for (const [name, tensor] of [...frozen, ...tensors]) start.set(`lora.${name}`, tensor);
    lora.restore(start);
    for (const [name, { shape, data }] of tensors)
      if (model.parameters.has(name)) model.parameters.get(name)!.assign(tf.tensor(data, shape));
    const step = new TrainingStep(lora.model, classification, {
      trained: lora.trained,
      weightDecay: curve.weightDecay,
    });
    for (const [i, loss] of losses.entries()) {
      const { inputIds, labels } = curve.batches[i]!;
      const lengths = labels.map(() => inputIds.length / labels.length);
      const batch: LabeledBatch = { ...packPadded(inputIds, lengths), labels: Int32Array.from(labels) };
      const rate = curve.learningRate * learningRateFactor(i, curve.batches.length, curve.warmupSteps, 'linear');
      const actual = await step.run([batch], rate);
      assert.ok(Math.abs(actual.loss - loss) < 1e-4 * loss, `step ${i + 1}: ${actual.loss} against ${loss}`);
    }
    for (const [name, { data }] of frozen)
      if (!lora.trained.includes(name)) assert.deepEqual(model.parameters.get(name)!.data(), data, name);
    step.dispose();
    lora.dispose();
    model.dispose();
  });

test('a new adapter changes nothing, and training changes its targets and the head only', async () => {
  const model = tiny();
  const before = parameterValues(model);
  const lora = new LoraTraining(model, { r: 2, lora_alpha: 4, lora_dropout: 0, target_modules: ['v_lin'] }, 1);
  lora.sync();
  for (const [name, { data }] of before) assert.deepEqual(model.parameters.get(name)!.data(), data, name);
  lora.dispose();
  const { adapter } = await new Trainer(model, { ...settings, maxSteps: 3, loraTargetModules: ['v_lin'] }).train(rows);
  const changed = [...before].flatMap(([name, { data }]) =>
    relativeDifference(model.parameters.get(name)!.data(), data) > 0 ? name : [],
  );
  assert.deepEqual(changed, [
    'distilbert.transformer.layer.0.attention.v_lin.weight',
    'distilbert.transformer.layer.1.attention.v_lin.weight',
    ...['pre_classifier.weight', 'pre_classifier.bias', 'classifier.weight', 'classifier.bias'],
  ]);
  assert.equal(adapter!.tensors.size, 2 * 2 + 4);
  model.dispose();
});

test('a written adapter has the keys and shapes of PEFT, and merged it gives the trained model', async () => {
  const model = tiny();
  const { adapter } = await new Trainer(model, { ...settings, loraRank: 4, loraDropout: 0.2, maxSteps: 3 }).train(rows);
  const written = path.join(folder, 'written');
  savePeftAdapter(adapter!, written, 'tiny');
  const shapes = (file: string) =>
    [...readSafetensors(file)].map(([name, { shape }]) => `${name} ${shape.join()}`).sort();
  assert.deepEqual(
    shapes(path.join(written, 'adapter_model.safetensors')),
    shapes(fixture('plain', 'adapter_model.safetensors')),
  );
  const config = JSON.parse(fs.readFileSync(path.join(written, 'adapter_config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  assert.deepEqual(config['target_modules'], ['attention.q_lin', 'attention.v_lin']);
  assert.deepEqual(config['modules_to_save'], ['pre_classifier', 'classifier']);
  assert.deepEqual([config['r'], config['lora_alpha'], config['lora_dropout']], [4, 16, 0.2]);
  const merged = tiny();
  mergeAdapter(merged, readPeftAdapter(written));
  assert.ok(relativeDifference(logitsOf(merged, [2, 7, 8, 3]), logitsOf(model, [2, 7, 8, 3])) < 1e-6);
  merged.dispose();
  model.dispose();
});

test('a resumed training gives the adapter of one without interruption; the best adapter is kept', async () => {
  const start = path.join(folder, 'start');
  writeTinyModel(start);
  const train = async (name: string, stopAfter: number) => {
    const checkpoints = new CheckpointFolder(path.join(folder, name));
    for (;;) {
      const checkpoint = checkpoints.newest();
      const model = TextClassifier.fromFolder(checkpoint?.folder ?? start, { precision: 'float32' });
      const controller = new AbortController();
      const result = await new Trainer(model, { ...settings, epochs: 4, loraDropout: 0.1 }).train(rows, {
        validation: rows,
        checkpoints,
        resumeFrom: checkpoint,
        signal: controller.signal,
        onRecord: ({ step }) => {
          if (step === stopAfter && !checkpoint) controller.abort();
        },
      });
      const values = parameterValues(model);
      model.dispose();
      if (result.end !== 'interrupted') return { adapter: result.adapter!, values };
    }
  };
  const [whole, resumed] = [await train('whole', Infinity), await train('resumed', 3)];
  for (const [name, { data }] of whole.adapter.tensors)
    assert.ok(relativeDifference(resumed.adapter.tensors.get(name)!.data, data) < 1e-5, name);
  for (const [name, { data }] of whole.values)
    assert.ok(relativeDifference(resumed.values.get(name)!.data, data) < 1e-5, name);
});

test('all-linear adapts every dense layer of the encoder; an unknown layer is an error with the known ones', () => {
  const model = tiny();
  assert.equal(loraTargets(model, 'all-linear').length, 2 * 6);
  assert.throws(
    () => loraTargets(model, ['query']),
    failure(SettingsError, 'SETTING_INVALID', { name: 'loraTargetModules', value: 'query' }),
  );
  model.dispose();
});

test('adapters of another method, of another model, or without a part of the head are errors', () => {
  const copy = (name: string, changes: object, tensors = (all: Map<string, StoredTensor>) => all) => {
    const target = path.join(folder, name);
    fs.cpSync(fixture('plain'), target, { recursive: true });
    const file = path.join(target, 'adapter_config.json');
    fs.writeFileSync(file, JSON.stringify({ ...(JSON.parse(fs.readFileSync(file, 'utf8')) as object), ...changes }));
    const weights = path.join(target, 'adapter_model.safetensors');
    writeSafetensors(weights, tensors(readSafetensors(weights)));
    return target;
  };
  for (const [i, [changes, name]] of [
    [{ peft_type: 'IA3' }, 'peft_type'] as const,
    [{ use_dora: true }, 'use_dora'] as const,
    [{ alpha_pattern: { '(': 3 } }, 'alpha_pattern.('] as const,
  ].entries())
    assert.throws(
      () => readPeftAdapter(copy(`unsupported-${i}`, changes)),
      failure(ModelFormatError, 'MODEL_CONFIG_UNSUPPORTED', { name }),
    );
  fs.mkdirSync(path.join(folder, 'empty'));
  assert.throws(
    () => readPeftAdapter(path.join(folder, 'empty')),
    failure(ModelFormatError, 'MODEL_NO_FILE', { file: 'adapter_config.json' }),
  );
  const wide = copy('wide', {}, (all) => {
    const name = 'base_model.model.distilbert.transformer.layer.0.attention.q_lin.lora_A.weight';
    return new Map(all).set(name, { shape: [4, 7], data: new Float32Array(28) });
  });
  const model = tiny();
  assert.throws(() => mergeAdapter(model, readPeftAdapter(wide)), failure(ModelFormatError, 'MODEL_SHAPE_MISMATCH'));
  const query = 'distilbert.transformer.layer.0.attention.q_lin';
  const otherRank = readPeftAdapter(copy('other-rank', { r: 1 }));
  assert.throws(
    () => mergeAdapter(model, otherRank),
    failure(ModelFormatError, 'MODEL_SHAPE_MISMATCH', { expected: [1, model.config.dim] }),
  );
  const half = readPeftAdapter(copy('half', {}));
  half.tensors.delete(`${query}.lora_B.weight`);
  assert.throws(
    () => mergeAdapter(model, half),
    failure(ModelFormatError, 'MODEL_NO_WEIGHTS', { names: [`${query}.lora_B.weight`] }),
  );
  const damaged = readPeftAdapter(copy('damaged', {}));
  damaged.tensors.get(`${query}.lora_A.weight`)!.data[0] = NaN;
  assert.throws(
    () => mergeAdapter(model, damaged),
    failure(ModelFormatError, 'MODEL_FILE_DAMAGED', { name: `${query}.weight` }),
  );
  const headless = copy(
    'headless',
    {},
    (all) => new Map([...all].filter(([name]) => !name.includes('pre_classifier.weight'))),
  );
  const fresh = TextClassifier.create(model.config);
  assert.throws(() => mergeAdapter(fresh, readPeftAdapter(headless)), failure(ModelFormatError, 'MODEL_NO_WEIGHTS'));
  fresh.dispose();
  model.dispose();
});
