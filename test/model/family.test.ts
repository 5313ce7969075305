// DistilBERT's elders against Hugging Face transformers on PyTorch, as their checkpoints come. Fixtures by test/fixtures/family.py.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ModelFormatError } from '#lib/errors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { maxTokens, parseConfig } from '#lib/model/config.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { readSafetensors } from '#lib/model/safetensors.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { trainedParameters } from '#lib/training/freeze.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import type { LabelledBatch } from '#lib/model/batch.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { Trainer } from '#lib/training/trainer.js';
import { failure } from '../failure.js';
import { fixtures, gradientsDiffer, type Packed, type Reference, relativeDifference, unpack } from '../checkout.js';

type Computed = Pick<Reference, 'inputIds' | 'batch' | 'tokens' | 'labels' | 'logits' | 'loss' | 'gradients'>;

interface Expected extends Computed {
  lengths: number[];
  losses: number[];
  texts: { text: string; ids: number[] }[];
  head?: Record<string, Packed>;
}
const family = JSON.parse(fs.readFileSync(path.join(fixtures, 'family.json'), 'utf8')) as Record<string, Expected>;
const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(temporary, { recursive: true }));

const batchOf = ({ inputIds, lengths, labels, batch, tokens }: Expected): LabelledBatch => ({
  inputIds: Int32Array.from(inputIds),
  lengths: Int32Array.from(lengths),
  labels: Int32Array.from(labels),
  batch,
  tokens,
});

/** Loads a fixture; a bare one gets the head that the reference had. */
function load(name: string, layers = composedLayers): TextClassifier {
  const model = TextClassifier.fromFolder(path.join(fixtures, name), { precision: 'float32', layers });
  for (const [parameter, packed] of Object.entries(family[name]!.head ?? {})) {
    const value = tf.tensor(unpack(packed), packed.shape);
    model.parameters.get(parameter)!.assign(value);
    value.dispose();
  }
  return model;
}

for (const [name, expected] of Object.entries(family)) {
  for (const [making, layers] of Object.entries({ composed: composedLayers, fused: fusedLayers }))
    test(`${name}, ${making} layers: logits, loss and gradients of a padded batch`, () => {
      const model = load(name, layers);
      const difference = relativeDifference(model.logits(batchOf(expected)), unpack(expected.logits));
      assert.ok(difference < 1e-5, `logits differ by ${difference}`);
      const { loss, gradients } = lossAndGradients(model, classification, classification.tensors(batchOf(expected)));
      assert.ok(Math.abs(loss.dataSync()[0]! - expected.loss) < 1e-5);
      const { parameter, difference: worst } = gradientsDiffer(gradients, expected.gradients);
      assert.ok(worst < 1e-4, `${parameter} differs by ${worst}`);
      model.dispose();
    });

  test(`${name}: 20 steps of training follow the reference`, () => {
    const model = load(name);
    const step = new TrainingStep(model, classification, { weightDecay: 0.01 });
    expected.losses.forEach((loss, i) => {
      const found = step.run([batchOf(expected)], 5e-4 * learningRateFactor(i, 20, 2, 'linear')).loss;
      assert.ok(Math.abs(found - loss) < 1e-4 * Math.max(1, loss), `step ${i}: ${found} against ${loss}`);
    });
    step.dispose();
    model.dispose();
  });

  test(`${name}: its tokenizer, and a saved model that loads again with the same logits`, () => {
    const tokenizer = loadTokenizer(path.join(fixtures, name));
    for (const { text, ids } of expected.texts)
      assert.deepEqual([...tokenizer.encode(text, 24)], ids, text.slice(0, 30));
    const model = load(name);
    const folder = path.join(temporary, name);
    model.save(folder);
    const again = TextClassifier.fromFolder(folder, { precision: 'float32', layers: composedLayers });
    assert.deepEqual(again.notes, []);
    assert.deepEqual(again.logits(batchOf(expected)), model.logits(batchOf(expected)));
    assert.deepEqual(again.config, model.config);
    for (const { text, ids } of expected.texts) assert.deepEqual([...loadTokenizer(folder).encode(text, 24)], ids);
    model.dispose();
    again.dispose();
  });
}

test('a bare encoder says what is new; a head of three classes is left aside for two', () => {
  const bare = TextClassifier.fromFolder(path.join(fixtures, 'minilm'), { maxLength: 1024 });
  assert.match(
    bare.notes.join(),
    /accepts at most 24 tokens: texts are truncated to these, not to 1024 \(--max-length\)\./,
  );
  assert.match(bare.notes.join(), /Randomly initialized: classifier\.weight, classifier\.bias/);
  bare.dispose();
  const finbert = TextClassifier.fromFolder(path.join(fixtures, 'finbert'), { labels: ['negative', 'positive'] });
  assert.match(finbert.notes.join(), /labels positive, negative, neutral, not negative, positive, and is ignored/);
  finbert.dispose();
  const others = TextClassifier.fromFolder(path.join(fixtures, 'finbert'), { labels: ['up', 'down', 'level'] });
  assert.match(others.notes.join(), /labels positive, negative, neutral, not up, down, level, and is ignored/);
  assert.ok(others.freshHead);
  others.dispose();
});

test('a stored head follows the names of its classes, not their order', () => {
  const asStored = TextClassifier.fromFolder(path.join(fixtures, 'finbert'), { precision: 'float32' });
  const labels = ['Negative', 'neutral', 'POSITIVE'];
  const ordered = TextClassifier.fromFolder(path.join(fixtures, 'finbert'), { precision: 'float32', labels });
  assert.match(ordered.notes.join(), /labels positive, negative, neutral are reordered to Negative, neutral, POSITIVE/);
  assert.ok(!ordered.freshHead);
  const batch = batchOf(family['finbert']!);
  const [before, found] = [asStored.logits(batch), ordered.logits(batch)];
  for (let row = 0; row < batch.batch; row++)
    [1, 2, 0].forEach((stored, i) => assert.ok(Math.abs(found[3 * row + i]! - before[3 * row + stored]!) < 1e-6));
  asStored.dispose();
  ordered.dispose();
});

test('RoBERTa trains with dropout, a used vocabulary and frozen layers, and knows its longest text', async () => {
  const model = load('roberta');
  Object.assign(model.config, { dropout: 0.1, attention_dropout: 0.1, seq_classif_dropout: 0.1 });
  assert.equal(maxTokens(model.config), 24);
  const rows = Array.from({ length: 32 }, (_, i) => Int32Array.from([0, 10 + (i % 2), 20 + (i % 5), 2]));
  const data = { ids: rows, labels: Int32Array.from(rows, (_, i) => i % 2) };
  const result = await new Trainer(model, { maxSteps: 60, learningRate: 3e-3, freeze: 1, batchSize: 8 }).train(data);
  const mean = (list: { loss: number }[]) => list.reduce((sum, { loss }) => sum + loss, 0) / list.length;
  assert.ok(
    mean(result.records.slice(-10)) < 0.5 * mean(result.records.slice(0, 10)),
    String(result.records.at(-1)!.loss),
  );
  const names = trainedParameters(model.parameters.keys(), 2, 1);
  assert.ok(names.every((name) => !/embeddings|layer\.0/.test(name)) && names.includes('classifier.dense.weight'));
  assert.deepEqual(
    model.summary().map(({ part }) => part),
    ['embeddings', 'layer 1', 'layer 2', 'head', 'all'],
  );
  model.dispose();
});

test('what cannot be computed is refused: another family, another activation, relative positions, a missing shard', () => {
  assert.throws(
    () => parseConfig({ model_type: 'gpt2' }),
    failure(ModelFormatError, 'MODEL_TYPE_UNSUPPORTED', { modelType: 'gpt2' }),
  );
  assert.throws(
    () => parseConfig({ model_type: 'bert', hidden_act: 'relu' }),
    failure(ModelFormatError, 'MODEL_CONFIG_UNSUPPORTED', { value: 'relu' }),
  );
  assert.throws(
    () => parseConfig({ model_type: 'bert', position_embedding_type: 'relative_key' }),
    failure(ModelFormatError, 'MODEL_CONFIG_UNSUPPORTED', { value: 'relative_key' }),
  );
  assert.throws(
    () => parseConfig({ model_type: 'bert', hidden_size: 30, num_attention_heads: 4 }),
    failure(ModelFormatError, 'MODEL_CONFIG_INVALID', { name: 'hidden_size', value: 30 }),
  );
  const folder = path.join(temporary, 'shards');
  fs.cpSync(path.join(fixtures, 'roberta'), folder, { recursive: true });
  fs.rmSync(path.join(folder, 'model-00002-of-00003.safetensors'));
  assert.throws(
    () => TextClassifier.fromFolder(folder),
    failure(ModelFormatError, 'MODEL_NO_FILE', { file: 'model-00002-of-00003.safetensors' }),
  );
});

test('half precision is read exactly', () => {
  const file = path.join(temporary, 'half.safetensors');
  const numbers = [0, 1, -2, 65504, 2 ** -24, -(2 ** -14), 0.333251953125, Infinity];
  const bits = [0, 0x3c00, 0xc000, 0x7bff, 1, 0x8400, 0x3555, 0x7c00];
  const header = JSON.stringify({ x: { dtype: 'F16', shape: [8], data_offsets: [0, 16] } });
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  fs.writeFileSync(file, Buffer.concat([prefix, Buffer.from(header), Buffer.from(Uint16Array.from(bits).buffer)]));
  assert.deepEqual([...readSafetensors(file).get('x')!.data], numbers);
});
