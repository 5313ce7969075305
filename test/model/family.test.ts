/**
 * Parity of the model families other than DistilBERT with Hugging Face transformers on PyTorch, for checkpoints as
 * transformers saves them. test/fixtures/family.py writes the fixtures.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ModelFormatError, SettingsError } from '#lib/errors.js';
import { classificationMetrics } from '#lib/evaluation/metrics.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { maxTokens, parseConfig } from '#lib/model/config.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { readSafetensors } from '#lib/model/safetensors.js';
import type { Precision } from '#lib/tensorflow/kernels.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { trainedParameters } from '#lib/training/freeze.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import type { LabeledBatch } from '#lib/model/batch.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { Trainer } from '#lib/training/trainer.js';
import { failure } from '../failure.js';
import {
  fixtures,
  gradientsDiffer,
  packPadded,
  type Packed,
  type Reference,
  relativeDifference,
  unpack,
} from '../checkout.js';

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

const batchOf = ({ inputIds, lengths, labels }: Expected): LabeledBatch => ({
  ...packPadded(inputIds, lengths),
  labels: Int32Array.from(labels),
});

/** Loads a fixture. One without a classification head gets the reference's head. */
function load(name: string, layers = composedLayers, precision: Precision = 'float32'): TextClassifier {
  const model = TextClassifier.fromFolder(path.join(fixtures, name), { precision, layers });
  for (const [parameter, packed] of Object.entries(family[name]!.head ?? {})) {
    const value = tf.tensor(unpack(packed), packed.shape);
    model.parameters.get(parameter)!.assign(value);
    value.dispose();
  }
  return model;
}

for (const [name, expected] of Object.entries(family)) {
  for (const [implementation, layers] of Object.entries({ composed: composedLayers, fused: fusedLayers }))
    test(`${name}, ${implementation} layers: logits, loss and gradients of packed texts match the reference`, () => {
      const model = load(name, layers);
      const difference = relativeDifference(model.logits(batchOf(expected)), unpack(expected.logits));
      assert.ok(difference < 1e-5, `logits differ by ${difference}`);
      const { loss, gradients } = lossAndGradients(
        model,
        classification,
        classification.tensors(batchOf(expected), layers),
      );
      assert.ok(Math.abs(loss.dataSync()[0]! - expected.loss) < 1e-5);
      const { parameter, difference: worst } = gradientsDiffer(gradients, expected.gradients);
      assert.ok(worst < 1e-4, `${parameter} differs by ${worst}`);
      model.dispose();
    });

  for (const [precision, layers, tolerance] of [
    ['float32', composedLayers, 1e-4],
    ['float32', fusedLayers, 1e-4],
    // 8 bits of precision.
    ['bfloat16', fusedLayers, 0.05],
  ] as const)
    test(`${name}: the losses of 20 training steps in ${precision}, ${layers.anyShape ? 'fused' : 'composed'} layers, match the reference`, async () => {
      const model = load(name, layers, precision);
      const step = new TrainingStep(model, classification, { weightDecay: 0.01 });
      for (const [i, reference] of expected.losses.entries()) {
        const { loss } = await step.run([batchOf(expected)], 5e-4 * learningRateFactor(i, 20, 2, 'linear'));
        const difference = Math.abs(loss - reference);
        assert.ok(difference < tolerance * Math.max(1, reference), `step ${i}: ${loss} against ${reference}`);
      }
      step.dispose();
      model.dispose();
    });

  test(`${name}: one captured graph computes batches of any number of texts and tokens`, async () => {
    const model = load(name, fusedLayers);
    const batch = batchOf(expected);
    const second = classification.select(batch, [1]);
    const classes = model.labels.length;
    const expectedLogits = model.logits(batch).slice(classes, 2 * classes);
    const logits = model.logits(second);
    assert.ok(relativeDifference(logits, expectedLogits) < 1e-5);
    const step = new TrainingStep(model, classification, { weightDecay: 0 });
    await step.run([batch], 0);
    const { loss } = await step.run([second], 0);
    const { loss: expectedLoss } = classificationMetrics(logits, second.labels, model.labels);
    assert.ok(Math.abs(loss - expectedLoss) < 1e-5, `${loss} against ${expectedLoss}`);
    step.dispose();
    model.dispose();
  });

  test(`${name}: the tokens match the reference, and a saved model loads with the same logits`, () => {
    const tokenizer = loadTokenizer(path.join(fixtures, name));
    for (const { text, ids } of expected.texts)
      assert.deepEqual([...tokenizer.encode(text, 24)], ids, text.slice(0, 30));
    const model = load(name);
    const folder = path.join(temporary, name);
    model.save(folder);
    const loaded = TextClassifier.fromFolder(folder, { precision: 'float32', layers: composedLayers });
    assert.deepEqual(loaded.notes, []);
    assert.deepEqual(loaded.logits(batchOf(expected)), model.logits(batchOf(expected)));
    assert.deepEqual(loaded.config, model.config);
    for (const { text, ids } of expected.texts) assert.deepEqual([...loadTokenizer(folder).encode(text, 24)], ids);
    model.dispose();
    loaded.dispose();
  });
}

test('notes name randomly initialized parameters, and a stored head of other classes is ignored', () => {
  const withoutHead = TextClassifier.fromFolder(path.join(fixtures, 'minilm'), { maxLength: 1024 });
  assert.match(
    withoutHead.notes.join(),
    /accepts at most 24 tokens: texts are truncated to these, not to 1024 \(maxLength\)\./,
  );
  assert.match(withoutHead.notes.join(), /Randomly initialized: classifier\.weight, classifier\.bias/);
  withoutHead.dispose();
  const twoClasses = TextClassifier.fromFolder(path.join(fixtures, 'finbert'), { labels: ['negative', 'positive'] });
  assert.match(
    twoClasses.notes.join(),
    /other labels \(positive, negative, neutral\) than the reviews \(negative, positive\) and is ignored/,
  );
  twoClasses.dispose();
  const otherClasses = TextClassifier.fromFolder(path.join(fixtures, 'finbert'), { labels: ['up', 'down', 'level'] });
  assert.match(
    otherClasses.notes.join(),
    /other labels \(positive, negative, neutral\) than the reviews \(up, down, level\) and is ignored/,
  );
  assert.ok(otherClasses.freshHead);
  otherClasses.dispose();
});

test('a stored head is matched by the names of its classes, not by their order', () => {
  const asStored = TextClassifier.fromFolder(path.join(fixtures, 'finbert'), { precision: 'float32' });
  const labels = ['Negative', 'neutral', 'POSITIVE'];
  const reordered = TextClassifier.fromFolder(path.join(fixtures, 'finbert'), { precision: 'float32', labels });
  assert.match(
    reordered.notes.join(),
    /labels positive, negative, neutral are reordered to Negative, neutral, POSITIVE/,
  );
  assert.ok(!reordered.freshHead);
  const batch = batchOf(family['finbert']!);
  const [storedLogits, logits] = [asStored.logits(batch), reordered.logits(batch)];
  for (let row = 0; row < batch.labels.length; row++)
    [1, 2, 0].forEach((stored, i) =>
      assert.ok(Math.abs(logits[3 * row + i]! - storedLogits[3 * row + stored]!) < 1e-6),
    );
  asStored.dispose();
  reordered.dispose();
});

test('RoBERTa trains with dropout, used embedding rows and frozen layers, and has its own maximum length', async () => {
  const model = load('roberta');
  Object.assign(model.config, { dropout: 0.1, attention_dropout: 0.1, seq_classif_dropout: 0.1 });
  assert.equal(maxTokens(model.config), 24);
  const rows = Array.from({ length: 32 }, (_, i) => Int32Array.from([0, 10 + (i % 2), 20 + (i % 5), 2]));
  const data = { ids: rows, labels: Int32Array.from(rows, (_, i) => i % 2) };
  const result = await new Trainer(model, { maxSteps: 120, learningRate: 3e-3, freeze: 1, batchSize: 8 }).train(data);
  const mean = (list: { loss: number }[]) => list.reduce((sum, { loss }) => sum + loss, 0) / list.length;
  assert.ok(
    mean(result.records.slice(-10)) < 0.5 * mean(result.records.slice(0, 10)),
    String(result.records.at(-1)!.loss),
  );
  const names = trainedParameters(model.parameters.keys(), 1);
  assert.ok(names.every((name) => !/embeddings|layer\.0/.test(name)) && names.includes('classifier.dense.weight'));
  assert.deepEqual(
    model.summary().map(({ part }) => part),
    ['embeddings', 'layer 1', 'layer 2', 'head', 'all'],
  );
  model.dispose();
});

test('unsupported families, activations and position embeddings, and a missing shard, are errors', () => {
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

test('properties that a family does not support are errors, and newer files of ModernBERT are read', () => {
  const deberta = JSON.parse(fs.readFileSync(path.join(fixtures, 'deberta-v2/config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  const unsupported = (json: Record<string, unknown>, name: string, value: unknown) =>
    assert.throws(() => parseConfig(json), failure(ModelFormatError, 'MODEL_CONFIG_UNSUPPORTED', { name, value }));
  unsupported({ ...deberta, conv_kernel_size: 5 }, 'conv_kernel_size', 5);
  unsupported({ ...deberta, conv_kernel_size: 3, conv_groups: 2 }, 'conv_groups', 2);
  unsupported({ ...deberta, pos_att_type: 'c2p' }, 'pos_att_type', 'c2p');
  unsupported({ model_type: 'deberta-v2' }, 'relative_attention', false);
  assert.doesNotThrow(() => parseConfig({ ...deberta, pos_att_type: 'c2p|p2c' }));
  unsupported({ model_type: 'albert', hidden_act: 'relu' }, 'hidden_act', 'relu');
  unsupported({ model_type: 'modernbert', norm_bias: true }, 'norm_bias', true);
  const [full, sliding] = ['full_attention', 'sliding_attention'];
  const types = [full, sliding, full, sliding];
  const rope = { [full]: { rope_type: 'default', rope_theta: 7 }, [sliding]: { rope_type: 'default', rope_theta: 5 } };
  const newer = { model_type: 'modernbert', num_hidden_layers: 4, layer_types: types, rope_parameters: rope };
  const { global_attn_every_n_layers: every, ...rest } = parseConfig(newer) as unknown as Record<string, unknown>;
  assert.deepEqual([every, rest['global_rope_theta'], rest['local_rope_theta']], [2, 7, 5]);
  const irregular = [full, sliding, sliding, full, full];
  unsupported({ ...newer, layer_types: irregular }, 'layer_types', irregular);
  const scaled = { [full]: { rope_type: 'yarn', rope_theta: 7 } };
  unsupported({ ...newer, rope_parameters: scaled }, 'rope_parameters', scaled);
});

test('layers that share their parameters are frozen together', () => {
  const model = TextClassifier.fromFolder(path.join(fixtures, 'albert'));
  // Four layers in two groups.
  const names = trainedParameters(model.parameters.keys(), 1);
  assert.ok(
    names.every((name) => !/embedding|groups\.0/.test(name)) && names.some((name) => name.includes('groups.1')),
  );
  assert.throws(
    () => trainedParameters(model.parameters.keys(), 3),
    failure(SettingsError, 'SETTING_INVALID', { name: 'freeze', value: 3, layers: 2 }),
  );
  model.dispose();
  const modern = TextClassifier.fromFolder(path.join(fixtures, 'modernbert'));
  assert.deepEqual(trainedParameters(modern.parameters.keys(), 'encoder'), [
    'head.dense.weight',
    'head.norm.weight',
    'classifier.weight',
    'classifier.bias',
  ]);
  assert.deepEqual(
    modern.summary().map(({ part }) => part),
    ['embeddings', 'layer 1', 'layer 2', 'layer 3', 'layer 4', 'norm', 'head', 'all'],
  );
  modern.dispose();
});

test('a damaged sentencepiece model, and vocabularies of other tokenizers, are errors', () => {
  const folder = path.join(temporary, 'vocabularies');
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'vocab.txt'), '<s>\n<pad>\n</s>\n[UNK]\nthe\n');
  const noTokenizer = (details: Record<string, unknown>) => failure(ModelFormatError, 'MODEL_NO_TOKENIZER', details);
  assert.throws(() => loadTokenizer(folder), noTokenizer({ missing: ['[CLS]', '[SEP]'] }));
  fs.rmSync(path.join(folder, 'vocab.txt'));
  const pieces = path.join(folder, 'spm.model');
  fs.writeFileSync(pieces, 'version https://git-lfs.github.com/spec/v1');
  assert.throws(() => loadTokenizer(folder), noTokenizer({ file: pieces }));
});

test('float16 tensors are read exactly', () => {
  const file = path.join(temporary, 'half.safetensors');
  const values = [0, 1, -2, 65504, 2 ** -24, -(2 ** -14), 0.333251953125, Infinity];
  const bits = [0, 0x3c00, 0xc000, 0x7bff, 1, 0x8400, 0x3555, 0x7c00];
  const header = JSON.stringify({ x: { dtype: 'F16', shape: [8], data_offsets: [0, 16] } });
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  fs.writeFileSync(file, Buffer.concat([prefix, Buffer.from(header), Buffer.from(Uint16Array.from(bits).buffer)]));
  assert.deepEqual([...readSafetensors(file).get('x')!.data], values);
});
