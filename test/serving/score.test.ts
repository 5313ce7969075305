// Scoring without TensorFlow: sentences, and files of any size.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { exportModel } from '#lib/export/export.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openSentimentModel } from '#lib/serving/sentiment.js';
import { assertFailed } from '../failure.js';
import { root } from '../checkout.js';
import { tunebook, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-score-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const sentences = ['The item came damanged, 1 star.', 'Great.', '', 'I bought it twice and it never broke.'];
before(async () => {
  writeTinyModel(inFolder('model'));
  await exportModel(inFolder('model'), await sampleReviews(await embeddedReviews(), { rows: 50 }), { version: '0' });
});

test('labels and scores of one or more sentences equal those of TensorFlow', async () => {
  const classifier = TextClassifier.fromFolder(inFolder('model'), { precision: 'float32' });
  const expected = classifier.predict(sentences);
  classifier.dispose();
  const model = await openSentimentModel(inFolder('model'));
  const predictions = await model.predictSentiment(sentences);
  predictions.forEach(({ label, score }, i) => {
    assert.equal(label, expected[i]!.label);
    assert.ok(Math.abs(score - expected[i]!.score) < 1e-4);
  });
  const one = await model.predictSentiment(sentences[0]!);
  assert.deepEqual(Object.keys(one), ['label', 'score']);
  assert.ok(Math.abs(one.score - predictions[0]!.score) < 1e-5);
  assert.deepEqual(await model.predictSentiment([]), []);
  for (const [i, probabilities] of (await model.predictProbabilities(sentences)).entries()) {
    assert.ok(Math.abs(probabilities.reduce((a, b) => a + b) - 1) < 1e-6);
    assert.ok(Math.abs(Math.max(...probabilities) - predictions[i]!.score) < 1e-6);
  }
  await model.dispose();
});

test('TensorFlow is not loaded for serving', () => {
  const program = `
    await import('./lib/dist/serving/score-file.js');
    const { openSentimentModel } = await import('./lib/dist/serving/sentiment.js');
    await (await openSentimentModel(process.argv[1])).predictSentiment('fine');
    const { readFileSync } = await import('node:fs');
    console.log(/libtensorflow|tfjs_binding/.test(readFileSync('/proc/self/maps', 'utf8')));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program, inFolder('model')], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(stdout.trim(), 'false', stderr);
});

test('tunebook score predicts the sentences on the command line', async () => {
  const plain = await tunebook(['score', '--model', inFolder('model'), ...sentences.slice(0, 2)]);
  assert.equal(plain.status, 0, plain.stderr);
  assert.match(plain.stdout, /^(negative|positive) +0\.\d{3} {2}The item came damanged, 1 star\.$/m);
  const json = await tunebook(['score', '--model', inFolder('model'), '--json', '--precision', 'int8', 'Great.']);
  const [prediction] = JSON.parse(json.stdout) as { label: string; score: number }[];
  assert.ok(prediction!.score > 0.5 && ['negative', 'positive'].includes(prediction!.label));
});

test('a file in chunks: rows keep their order, columns, markup and quotes, and get a prediction', async () => {
  const rows = Array.from({ length: 2500 }, (_, i) => ({
    id: String(i),
    title: i % 2 ? 'Fine, "really"' : '<b>no</b>',
    text: i % 100 === 7 ? '' : `review number ${i}, which is\n${'long '.repeat(i % 9)}`,
  }));
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  fs.writeFileSync(
    inFolder('reviews.csv'),
    `id,title,text\n${rows.map(({ id, title, text }) => [id, title, text].map(quoted).join(',')).join('\n')}\n`,
  );
  const argv = [
    'score',
    '--model',
    inFolder('model'),
    '--file',
    inFolder('reviews.csv'),
    '--out',
    inFolder('scored.csv'),
  ];
  const { status, stdout, stderr } = await tunebook([...argv, '--text-columns', 'text']);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /2,500 rows scored, 25 of them without text and therefore without a prediction: .*scored\.csv/);
  const scored = parse<Record<string, string>>(fs.readFileSync(inFolder('scored.csv'), 'utf8'), { columns: true });
  assert.deepEqual(
    scored.map(({ id, title, text }) => ({ id, title, text })),
    rows,
  );
  const model = await openSentimentModel(inFolder('model'));
  const { label, score } = await model.predictSentiment(rows[8]!.text.trim());
  await model.dispose();
  assert.deepEqual(
    [scored[8]!['predicted_label'], Math.abs(Number(scored[8]!['predicted_score']) - score) < 1e-5],
    [label, true],
  );
  assert.deepEqual([scored[7]!['predicted_label'], scored[7]!['predicted_score']], ['', '']);
  assert.ok(!fs.existsSync(inFolder('scored.csv.partial')));

  const lines = await tunebook([
    'score',
    '--model',
    inFolder('model'),
    '--file',
    inFolder('reviews.csv'),
    '--out',
    inFolder('scored.jsonl'),
    '--text-columns',
    'title,text',
    '--json',
  ]);
  assert.deepEqual(JSON.parse(lines.stdout), { rows: 2500, withoutText: 0, out: inFolder('scored.jsonl') });
  const [first] = fs.readFileSync(inFolder('scored.jsonl'), 'utf8').split('\n');
  assert.deepEqual(Object.keys(JSON.parse(first!) as object), [
    'id',
    'title',
    'text',
    'predicted_label',
    'predicted_score',
  ]);
  const again = await tunebook([
    'score',
    '--model',
    inFolder('model'),
    '--file',
    inFolder('scored.csv'),
    '--out',
    inFolder('twice.csv'),
    '--text-columns',
    'text',
  ]);
  assertFailed(again, 3, 'ReviewsError', 'REVIEWS_COLUMN_EXISTS', "'predicted_label'");
});

test('errors for invalid input say how to fix it', async () => {
  const assertFails = async (exitCode: number, name: string, code: string, value: string, ...argv: string[]) =>
    assertFailed(await tunebook(['score', ...argv], { cwd: folder }), exitCode, name, code, value);
  const file = ['--model', 'model', '--file'];
  await assertFails(2, 'SettingsError', 'SETTING_MISSING', '--file');
  await assertFails(2, 'SettingsError', 'SETTING_MISSING', '--out', '--file', 'reviews.csv');
  await assertFails(2, 'SettingsError', 'SETTING_CONFLICT', '--file', '--file', 'a.csv', '--out', 'b.csv', 'Great.');
  await assertFails(2, 'SettingsError', 'SETTING_INVALID', "--precision is 'int4'", '--precision', 'int4', 'Great.');
  await assertFails(2, 'RunError', 'RUN_NOT_FOUND', 'runs/', 'Great.');
  await assertFails(2, 'FileError', 'FILE_NOT_FOUND', 'none.csv', ...file, 'none.csv', '--out', 'b.csv');
  await assertFails(
    2,
    'SettingsError',
    'SETTING_INVALID',
    "--out is 'b.txt'",
    ...file,
    'reviews.csv',
    '--out',
    'b.txt',
  );
  fs.cpSync(inFolder('model'), inFolder('plain'), { recursive: true });
  fs.rmSync(inFolder('plain/onnx'), { recursive: true });
  await assertFails(3, 'ModelFormatError', 'MODEL_NOT_EXPORTED', 'tunebook export plain', '--model', 'plain', 'Great.');
});
