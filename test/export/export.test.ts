// Exported models: equal logits in onnxruntime for Node and Python and in transformers.js; similar logits in 8 bits.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { env, pipeline } from '@huggingface/transformers';
import { ModelFormatError } from '#lib/errors.js';
import { exportModel, type ExportReport } from '#lib/export/export.js';
import { quantizeRows, transposed } from '#lib/export/quantize.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { ModelProto } from '#lib/export/onnx-schema.js';
import { InferenceSession } from '#lib/export/onnxruntime.js';
import { onnxFiles, openOnnxEngine } from '#lib/export/onnx-engine.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { assertFailed, failure } from '../failure.js';
import { embeddedModel, fixtures } from '../checkout.js';
import { pythonWith } from '../python-environment.js';
import { starsFlags, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-export-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);

const sentences = [
  'The item came damanged, 1 star.',
  'a great product that works as described',
  'not bad at all',
  '',
  'bad '.repeat(60),
  'it stopped working after two days and the seller did not answer',
];
const reviews = (classes: number) => sentences.map((text, i) => ({ text, label: i % classes }));

writeTinyModel(inFolder('distilbert'));
const models: Record<string, string> = { distilbert: inFolder('distilbert') };
const names = fs.readdirSync(fixtures).filter((name) => fs.existsSync(path.join(fixtures, name, 'config.json')));
for (const name of names.filter((name) => name !== 'minilm' && name !== 'tiny')) {
  models[name] = inFolder(name);
  fs.cpSync(path.join(fixtures, name), inFolder(name), { recursive: true });
}

test('each family: logits of onnxruntime, in Node and in Python, equal those of TensorFlow', async () => {
  const python = pythonWith('onnxruntime');
  for (const [name, modelFolder] of Object.entries(models)) {
    const classifier = TextClassifier.fromFolder(modelFolder, { precision: 'float32' });
    const classes = Object.keys(classifier.config.id2label).length;
    const maxLength = name === 'distilbert' ? 64 : 24;
    const texts = classifier.encode(reviews(classes), maxLength);
    const { logits } = await evaluate(classifier, texts);
    classifier.dispose();
    const report = await exportModel(modelFolder, reviews(classes), { version: '0' });
    assert.equal(report.reviews, sentences.length);
    assert.ok(report.files.float32.difference < 1e-4, `${name} differs by ${report.files.float32.difference}`);
    assert.deepEqual(fs.readdirSync(path.join(modelFolder, 'onnx')).sort(), [
      'export.json',
      'model.onnx',
      'model_quantized.onnx',
    ]);
    const engine = await openOnnxEngine(modelFolder, { maxBatchTokens: 48 });
    const onnxLogits = await engine.logits(texts.ids);
    await engine.dispose();
    const maxDifference = (others: ArrayLike<number>) =>
      logits.reduce((max, logit, i) => Math.max(max, Math.abs(logit - others[i]!)), 0);
    assert.ok(maxDifference(onnxLogits) < 1e-4);

    // One text at a time without padding, and all texts in a padded batch.
    const program = `
import json, sys
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(sys.argv[1], options)
texts = json.load(sys.stdin)
names = [each.name for each in session.get_inputs()]
def run(ids, mask):
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
    return session.run(["logits"], {name: numpy.array(inputs[name], "int64") for name in names})[0]
alone = [run([ids], [[1] * len(ids)])[0].tolist() for ids in texts]
longest = max(map(len, texts))
padded = run([ids + [0] * (longest - len(ids)) for ids in texts], [[1] * len(ids) + [0] * (longest - len(ids)) for ids in texts])
print(json.dumps([alone, padded.tolist()]))`;
    const { stdout, stderr } = spawnSync(python, ['-c', program, path.join(modelFolder, onnxFiles.float32)], {
      input: JSON.stringify(texts.ids.map((ids) => [...ids])),
      encoding: 'utf8',
    });
    for (const rows of JSON.parse(stdout || `"${stderr}"`) as number[][][])
      assert.ok(maxDifference(rows.flat()) < 1e-4, `${name} in Python differs by ${maxDifference(rows.flat())}`);
  }
});

test('onnxruntime fuses every 8-bit product with its scaling into one operator', async () => {
  const operatorsOf = (file: string) => {
    const { graph } = ModelProto.decode(fs.readFileSync(file)) as unknown as { graph: { node: { op_type: string }[] } };
    const count = (type: string) => graph.node.filter(({ op_type }) => op_type === type).length;
    // The second one is for several products of one input, which share its quantization.
    return { products: count('MatMulInteger'), fused: count('DynamicQuantizeMatMul') + count('MatMulIntegerToFloat') };
  };
  for (const name of ['distilbert', 'bert', 'modernbert']) {
    const file = path.join(models[name]!, onnxFiles.int8);
    const optimized = inFolder(`${name}.optimized.onnx`);
    const options = { optimizedModelFilePath: optimized, logSeverityLevel: 3 } as const;
    await (await InferenceSession.create(file, { ...options, graphOptimizationLevel: 'extended' })).release();
    const { products } = operatorsOf(file);
    assert.ok(products > 0);
    // A product that is not fused makes scoring up to 40 % slower.
    assert.deepEqual(operatorsOf(optimized), { products: 0, fused: products }, name);
  }
});

test('transformers.js loads the folder: equal labels and scores, similar ones in 8 bits', async () => {
  Object.assign(env, { localModelPath: folder, allowRemoteModels: false });
  const classifier = TextClassifier.fromFolder(models['distilbert']!, { precision: 'float32' });
  const texts = sentences.filter((text) => text.split(' ').length < 40);
  const reviews = texts.map((text) => ({ text, label: 0 }));
  const { logits } = await evaluate(classifier, classifier.encode(reviews, 64));
  classifier.dispose();
  const expected = texts.map((_, row) => {
    const probability = 1 / (1 + Math.exp(logits[2 * row]! - logits[2 * row + 1]!));
    return probability > 0.5
      ? { label: 'positive', score: probability }
      : { label: 'negative', score: 1 - probability };
  });
  for (const [dtype, tolerance] of [
    ['fp32', 1e-4],
    ['q8', 0.1],
  ] as const) {
    const score = await pipeline('text-classification', 'distilbert', { dtype });
    const predictions = (await score(texts)) as { label: string; score: number }[];
    predictions.forEach((prediction, row) => {
      const { label, score } = expected[row]!;
      const actual = prediction.label === label ? prediction.score : 1 - prediction.score;
      assert.ok(Math.abs(actual - score) < tolerance, `${dtype}: ${actual}, not ${score}`);
    });
    await score.dispose();
  }
});

test('quantization errors are at most half the scale of a row, and a matrix is transposed', () => {
  const data = Float32Array.from([1, -2, 0.5, 0, 0, 0, 1e-3, 5e-4, -1e-3]);
  const { values, scales } = quantizeRows(data, 3, 3);
  data.forEach((number, i) => {
    const scale = scales[Math.floor(i / 3)]!;
    assert.ok(Math.abs(values[i]! * scale - number) <= scale / 2 + 1e-9);
  });
  assert.deepEqual([...transposed(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)], [1, 4, 2, 5, 3, 6]);
});

test('tunebook export: a run is compared on its test reviews; errors for models that cannot be exported', async () => {
  writeTinyModel(inFolder('tiny'));
  writeStarsCsv(inFolder('stars.csv'), 120);
  const options = { cwd: folder };
  const common = [...starsFlags('stars.csv'), '--model', 'tiny', '--max-length', '32'];
  const tuned = await tunebook(['finetune', ...common, '--max-steps', '4', '--run-folder', 'run'], options);
  assert.equal(tuned.status, 0, tuned.stderr);
  const { status, stdout, stderr } = await tunebook(['export', 'run', '--json'], options);
  assert.equal(status, 0, stderr);
  const report = JSON.parse(stdout) as ExportReport;
  const { test: testMetrics } = JSON.parse(fs.readFileSync(inFolder('run/metrics.json'), 'utf8')) as {
    test: { accuracy: number; count: number };
  };
  assert.equal(report.reviews, testMetrics.count);
  assert.equal(report.opset, 17);
  const summary = await tunebook(['export', 'run/model'], options);
  assert.match(
    summary.stdout,
    /Checked with onnxruntime on \d+ of the run's test reviews[\s\S]*int8 .*model_quantized\.onnx .*accuracy .*, same prediction as TensorFlow for/,
  );

  const base = await tunebook(['export', 'tiny'], options);
  assert.equal(base.status, 0, 'a model with a randomly initialized head can be exported');
  const noClassifier = await tunebook(['export', embeddedModel], options);
  assertFailed(noClassifier, 3, 'ModelFormatError', 'MODEL_NOT_CLASSIFIER', embeddedModel);
  const missing = await tunebook(['export', 'nothing'], options);
  assert.equal(missing.status, 2);
  await assert.rejects(
    openOnnxEngine(embeddedModel),
    failure(ModelFormatError, 'MODEL_NOT_EXPORTED', { folder: embeddedModel, precision: 'float32' }),
  );
});
