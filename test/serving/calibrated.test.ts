// Calibrated predictions from training to scoring: the job fits and stores them, and TensorFlow, onnxruntime, the server and
// transformers.js give the same.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { env, pipeline } from '@huggingface/transformers';
import type { ExportReport } from '#lib/export/export.js';
import { onnxFiles } from '#lib/export/onnx-engine.js';
import { readCalibration, writeCalibration } from '#lib/model/calibration-file.js';
import type { Prediction } from '#lib/model/prediction.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import type { FinetuneMetrics } from '#lib/runs/metrics.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { createServer } from '#lib/serving/server.js';
import { openSentimentModel } from '#lib/serving/sentiment.js';
import { assertFailed } from '../failure.js';
import { finetuneTiny, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { pythonWith } from '../python-environment.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-calibrated-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const run = new RunFolder(inFolder('run'));
const model = run.path('model');
const texts = ['A lovely lamp.', 'It was broken.', 'We ordered two, and one was awful.', 'A present, a chair number 3'];

before(async () => {
  writeTinyModel(inFolder('model'));
  writeStarsCsv(inFolder('stars.csv'), 2600);
  const { status, stderr } = await tunebook(finetuneTiny(folder, 'run', '--max-steps', '12'));
  assert.equal(status, 0, stderr);
});

test('the job stores temperature and threshold; metrics, report and model card have their effect on the test set', () => {
  const { calibration, test: plain } = run.read<FinetuneMetrics>('metrics.json')!;
  const { before, after, ...fitted } = calibration!;
  assert.deepEqual(readCalibration(model, 2), fitted);
  assert.equal(fitted.rows, run.read<FinetuneMetrics>('metrics.json')!.rows.validation);
  assert.notEqual(fitted.threshold, null);
  assert.ok(Math.abs(before.loss - plain.loss) < 1e-9 && before.accuracy === plain.accuracy, 'plain metrics are kept');
  assert.ok(Math.abs(before.balancedAccuracy - plain.macro.recall) < 1e-12);
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const row = `${percent(after.calibrationError)} | ${after.loss.toFixed(3)} | ${percent(after.accuracy)} | ${percent(after.balancedAccuracy)}`;
  assert.ok(fs.readFileSync(path.join(model, 'README.md'), 'utf8').includes(`| calibrated | ${row} |`));
  assert.ok(fs.readFileSync(run.path('report.html'), 'utf8').includes(`temperature ${fitted.temperature.toFixed(3)}`));
});

test('score and serve apply both with --calibrated: predictions equal those of TensorFlow, also of a calibrated graph', async () => {
  // A threshold far from one half, so that a prediction without it would differ.
  const calibration = { ...readCalibration(model, 2)!, temperature: 2.5, threshold: 0.2 };
  writeCalibration(model, calibration);
  const classifier = TextClassifier.fromFolder(model, { precision: 'float32' });
  const plain = classifier.predict(texts);
  const expected = classifier.predict(texts, { calibrated: true });
  classifier.dispose();
  assert.notDeepEqual(
    expected.map(({ label }) => label),
    plain.map(({ label }) => label),
  );
  const assertSame = (actual: Prediction[], wanted: Prediction[]) => {
    assert.deepEqual(
      actual.map(({ label }) => label),
      wanted.map(({ label }) => label),
    );
    actual.forEach(({ score }, i) => assert.ok(Math.abs(score - wanted[i]!.score) < 1e-4, `${score}`));
  };
  for (const flags of [[], ['--calibrated']]) {
    const exported = await tunebook(['export', run.folder, '--json', ...flags]);
    assert.equal(exported.status, 0, exported.stderr);
    const { temperature, files } = JSON.parse(exported.stdout) as ExportReport;
    assert.equal(temperature, flags.length > 0 ? 2.5 : undefined);
    assert.ok(files.float32.difference < 1e-4, 'the logits before the division are compared');
    const score = (...more: string[]) => tunebook(['score', '--model', run.folder, '--json', ...more, ...texts]);
    assertSame(JSON.parse((await score('--calibrated')).stdout) as Prediction[], expected);
    assertSame(JSON.parse((await score()).stdout) as Prediction[], plain);
  }
  const sentiment = await openSentimentModel(model, { calibrated: true });
  const { app } = await createServer(sentiment, { tunebook: '0' });
  const post = async <Response>(url: string, payload: object) =>
    (await app.inject({ method: 'POST', url, payload })).json<Response>();
  try {
    assertSame((await post<{ result: Prediction[] }>('/model', { data: { sentence: texts } })).result, expected);
    const { predictions } = await post<{ predictions: Prediction[] }>('/invocations', { inputs: texts });
    assertSame(predictions, expected);
    const ranked = await post<Prediction[][]>('/predict', { inputs: texts, parameters: { top_k: 1 } });
    assertSame(ranked.flat(), expected);
    const inputs = [{ name: 'text', shape: [texts.length], datatype: 'BYTES', data: texts }];
    const { outputs } = await post<{ outputs: { data: string[] }[] }>('/v2/models/sentiment/infer', { inputs });
    assert.deepEqual(
      outputs[0]!.data,
      expected.map(({ label }) => label),
    );
  } finally {
    await app.close();
    await sentiment.dispose();
  }
});

test('a calibrated graph gives calibrated probabilities in transformers.js and in Python, without the threshold', async () => {
  const uncalibrated = await openSentimentModel(model);
  const ids = texts.map((text) => [...uncalibrated.encode(text).ids]);
  const probabilities = await uncalibrated.predictProbabilities(texts);
  await uncalibrated.dispose();
  const expected = probabilities.map(([negative, positive]) => 1 / (1 + (negative! / positive!) ** (1 / 2.5)));
  Object.assign(env, { localModelPath: run.folder, allowRemoteModels: false });
  const classify = await pipeline('text-classification', 'model', { dtype: 'fp32' });
  const predictions = (await classify(texts)) as Prediction[];
  await classify.dispose();
  predictions.forEach(({ label, score }, i) => {
    assert.equal(label, expected[i]! > 0.5 ? 'positive' : 'negative');
    assert.ok(Math.abs((label === 'positive' ? score : 1 - score) - expected[i]!) < 1e-4, `${score}, ${expected[i]}`);
  });
  const program = `
import json, sys
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
run = lambda ids: session.run(["logits"], {"input_ids": numpy.array([ids], "int64"), "attention_mask": numpy.ones((1, len(ids)), "int64")})[0][0]
print(json.dumps([float(1 / (1 + numpy.exp(logits[0] - logits[1]))) for logits in map(run, json.load(sys.stdin))]))`;
  const { stdout, stderr } = spawnSync(
    pythonWith('onnxruntime'),
    ['-c', program, path.join(model, onnxFiles.float32)],
    { input: JSON.stringify(ids), encoding: 'utf8' },
  );
  const inPython = JSON.parse(stdout || `"${stderr}"`) as number[];
  inPython.forEach((score, i) => assert.ok(Math.abs(score - expected[i]!) < 1e-4, `${score}, not ${expected[i]}`));
});

test('--calibrated needs a calibration: without or with a damaged one, the error says how to fix it', async () => {
  fs.writeFileSync(path.join(model, 'calibration.json'), '{');
  const plain = await tunebook(['score', '--model', run.folder, 'Fine.']);
  assert.equal(plain.status, 0, 'plain predictions do not need the file');
  const score = ['score', '--model', run.folder, '--calibrated', 'Fine.'];
  assertFailed(await tunebook(score), 3, 'ModelFormatError', 'MODEL_FILE_DAMAGED', 'calibration.json');
  fs.rmSync(path.join(model, 'calibration.json'));
  for (const argv of [score, ['serve', run.folder, '--calibrated', '--port', '0'], ['export', model, '--calibrated']])
    assertFailed(await tunebook(argv), 3, 'ModelFormatError', 'MODEL_NOT_CALIBRATED', 'calibrate(model');
});

test('a streamed training set: the calibration is fitted on the validation set of the sample', async () => {
  const streamed = finetuneTiny(folder, 'streamed', '--max-steps', '2', '--streaming', '--rows', '1200');
  const { status, stdout, stderr } = await tunebook(streamed);
  assert.equal(status, 0, stderr);
  const { calibration, rows } = new RunFolder(inFolder('streamed')).read<FinetuneMetrics>('metrics.json')!;
  assert.equal(calibration!.rows, rows.validation);
  assert.match(stdout, /^Calibrated +loss \d\.\d{3} -> \d\.\d{3}, calibration error /m);
});

test('a validation set that is too small or the training set is not calibrated on, and a note says so', async () => {
  const without = async (name: string, ...more: string[]) => {
    const { status, stdout, stderr } = await tunebook(finetuneTiny(folder, name, '--max-steps', '2', ...more));
    assert.equal(status, 0, stderr);
    assert.equal(new RunFolder(inFolder(name)).read<FinetuneMetrics>('metrics.json')!.calibration, null);
    assert.ok(!fs.existsSync(inFolder(name, 'model/calibration.json')));
    return stdout;
  };
  assert.match(await without('small', '--rows', '300'), /not calibrated: The validation set has \d\d reviews/);
  const overfitted = await without('overfitted', '--overfit-batches', '2');
  assert.match(overfitted, /not calibrated: the validation set is the training set/);
});
