/**
 * `tunebook finetune --problem-type regression`: numbers are read, predicted, evaluated and reported; the same with the techniques of
 * training; sweeps choose the lowest loss; scoring, serving and the exported graph give the number.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { regressionMetrics } from '#lib/evaluation/regression-metrics.js';
import { openOnnxEngine } from '#lib/export/onnx-engine.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { ArgumentError, ReviewsError } from '#lib/errors.js';
import { exportModel, type RegressionExportReport } from '#lib/export/export.js';
import type { ReviewsOptions } from '#lib/reviews/reviews-options.js';
import { createSource } from '#lib/reviews/create-source.js';
import { chunksOf, type RowFile } from '#lib/reviews/row-file.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { loadReviews } from '#lib/reviews/load-reviews.js';
import { readJournal } from '#lib/runs/journal.js';
import type { RegressionRunMetrics } from '#lib/runs/metrics.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { openSentimentModel } from '#lib/serving/sentiment.js';
import { createServer } from '#lib/serving/server.js';
import type { SweepResult } from '#lib/jobs/sweep.js';
import { assertFailed, failure } from '../failure.js';
import { tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-regression-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const regression = ['--problem-type', 'regression', '--precision', 'float32', '--max-length', '32'];
const command = (name: string, dataset: string, ...flags: string[]) =>
  tunebook([
    ...[name, '--dataset', inFolder(dataset), '--text-columns', 'title,content', '--label-column', 'stars'],
    ...['--model', inFolder('model'), ...regression, ...flags],
  ]);
const finetune = (run: string, ...flags: string[]) =>
  command('finetune', 'stars.csv', '--run-folder', inFolder(run), ...flags);
const metricsOf = (run: string) => new RunFolder(inFolder(run)).read<RegressionRunMetrics>('metrics.json')!;
const texts = ['A lovely lamp.', 'It was broken.', 'We ordered two, and one was awful.'];
let output: string;

before(async () => {
  writeTinyModel(inFolder('model'), 0);
  writeStarsCsv(inFolder('stars.csv'));
  const flags = ['--lr', '5e-3', '--epochs', '6', '--batch-size', '8', '--report-to', 'tensorboard'];
  const { status, stdout, stderr } = await finetune('run', ...flags);
  assert.equal(status, 0, stderr);
  output = stdout;
});

test('metrics are those of the predictions on the test set, and better than the mean', async () => {
  const { problemType, labelNames, test, predictions, baselines, errors, validation, data, rows } = metricsOf('run');
  assert.deepEqual([problemType, labelNames, data!.classes], ['regression', ['stars'], []]);
  const { settings, sources } = new RunFolder(inFolder('run')).settings!;
  const reviews = await loadReviews(sources.dataset, settings);
  const model = TextClassifier.fromFolder(inFolder('run/model'), { precision: 'float32' });
  const predicted = model.predict(reviews.test.map(({ text }) => text));
  model.dispose();
  assert.ok(predicted.every(({ label }) => label === 'stars'));
  assert.deepEqual(
    predictions.true,
    reviews.test.map(({ label }) => label),
  );
  assert.ok(predicted.every(({ score }, i) => Math.abs(score - predictions.predicted[i]!) < 1e-4));
  assert.deepEqual(test, regressionMetrics(predictions.predicted, predictions.true));
  assert.equal(rows.test, test.count);
  const [mean, bag] = baselines;
  assert.deepEqual([mean!.name, bag!.name], ['mean of the training set', 'bag of words']);
  assert.ok(test.loss < 0.5 * mean!.loss && test.pearson! > 0.8, JSON.stringify(test));
  const sizes = errors.map((row) => Math.abs(row.true - row.predicted));
  assert.deepEqual(
    sizes,
    sizes.toSorted((a, b) => b - a),
  );
  // The kept evaluation is the one with the lowest validation loss.
  const losses = readJournal(inFolder('run')).flatMap((entry) =>
    entry.kind === 'step' && entry.evalLoss !== undefined ? entry.evalLoss : [],
  );
  assert.equal(validation!.metrics.loss, Math.min(...losses));
});

test('console, report, model card, figures, TensorBoard and the list of runs have the metrics of numbers only', async () => {
  const { test: metrics } = metricsOf('run');
  const mae = metrics.meanAbsoluteError.toFixed(3);
  assert.match(output, /Numbers in 'stars': 1 to 5, mean 3\.000, standard deviation 1\.414\./);
  assert.match(output, new RegExp(`Test +RMSE \\S+, MAE ${mae}, R² ${metrics.r2!.toFixed(3)}, Pearson`));
  assert.match(output, /validation loss \d+\.\d{3}\n/);
  const report = fs.readFileSync(inFolder('run/report.html'), 'utf8');
  const card = fs.readFileSync(inFolder('run/model/README.md'), 'utf8');
  assert.ok(report.includes(`Mean absolute error ${mae} in`));
  assert.match(
    card,
    new RegExp(`type: mae\\n +name: Mean absolute error\\n +value: ${Number(metrics.meanAbsoluteError.toFixed(4))}\n`),
  );
  for (const text of [output, report, card]) assert.doesNotMatch(text, /ccuracy|confusion|undefined|NaN|Warning/);
  const figures = fs.readdirSync(inFolder('run/figures')).filter((name) => name.endsWith('.png'));
  assert.deepEqual(figures, ['learning-curves.png', 'predicted-numbers.png']);
  const [events] = fs.readdirSync(inFolder('run/tensorboard'));
  const written = fs.readFileSync(inFolder('run/tensorboard', events!), 'latin1');
  for (const tag of ['eval/loss', 'test/loss', 'test/mae', 'test/r2', 'test/spearman'])
    assert.ok(written.includes(tag), tag);
  assert.ok(!written.includes('eval/accuracy'));
  const listed = await tunebook(['runs', inFolder('run')]);
  assert.match(listed.stdout, new RegExp(`test MAE +${mae}`));
  const compared = await tunebook(['compare', inFolder('run'), inFolder('run')]);
  assertFailed(compared, 2, 'RunError', 'RUNS_NOT_COMPARABLE', 'predicts a number');
});

test('LoRA, decay by layer, accumulation, streaming and two workers train; a resumed run ends as one without interruption', async () => {
  const short = ['--max-steps', '4', '--batch-size', '8', '--eval-steps', '2', '--lr', '1e-3'];
  const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-4 * b, `${a} against ${b}`);
  const variants: Record<string, string[]> = {
    lora: ['--lora-rank', '4', '--lora-target-modules', 'all-linear'],
    decay: ['--layerwise-learning-rate-decay', '0.5', '--gradient-accumulation-steps', '2'],
    streamed: ['--streaming'],
  };
  for (const [name, flags] of Object.entries(variants)) {
    const { status, stdout, stderr } = await finetune(name, ...short, ...flags);
    assert.equal(status, 0, `${name}: ${stderr}`);
    assert.ok(metricsOf(name).test.loss < 30, name);
    // Four steps do not suffice to come near the mean, which console, journal and report say.
    const [warning] = metricsOf(name).warnings!;
    assert.equal(warning!.code, 'R2_NOT_ABOVE_MEAN');
    assert.ok(stdout.includes(`Warning [R2_NOT_ABOVE_MEAN]: ${warning!.message}`), stdout);
    assert.ok(fs.readFileSync(inFolder(name, 'report.html'), 'utf8').includes(warning!.message));
    assert.ok(readJournal(inFolder(name)).some((entry) => entry.kind === 'warning'));
  }
  // Two workers read the stream together, and have the mean of all rows.
  const streamed = [
    'launch',
    '--workers',
    '2',
    'finetune',
    '--dataset',
    inFolder('stars.csv'),
    '--text-columns',
    'title,content',
  ];
  const shared = ['--label-column', 'stars', '--model', inFolder('model'), ...regression, ...short, '--streaming'];
  const ranks = await tunebook([...streamed, ...shared, '--run-folder', inFolder('ranks')]);
  assert.equal(ranks.status, 0, ranks.stderr);
  close(metricsOf('ranks').test.loss, metricsOf('streamed').test.loss);
  const merged = await tunebook(['merge', inFolder('lora/adapter'), inFolder('merged')]);
  assert.equal(merged.status, 0, merged.stderr);
  const bytes = (...names: string[]) => fs.readFileSync(inFolder(...names));
  assert.ok(bytes('merged/model.safetensors').equals(bytes('lora/model/model.safetensors')));
  assert.deepEqual(
    JSON.parse(bytes('merged/config.json').toString()),
    JSON.parse(bytes('lora/model/config.json').toString()),
  );

  // The checkpoint of step 2, as after an interruption.
  fs.cpSync(inFolder('decay'), inFolder('resumed'), { recursive: true });
  fs.rmSync(inFolder('resumed/checkpoints/checkpoint-4'), { recursive: true });
  for (const name of ['metrics.json', 'model', 'status.json'])
    fs.rmSync(inFolder('resumed', name), { recursive: true });
  const resumed = await finetune('resumed', ...short, ...variants['decay']!, '--resume');
  assert.equal(resumed.status, 0, resumed.stderr);
  assert.match(resumed.stdout, /Resuming from .*checkpoint-2/);
  close(metricsOf('resumed').test.loss, metricsOf('decay').test.loss);
});

test('a label that is no number is an error with its row and value, before training; missing labels are left out', async () => {
  const rows = ['a,x1,y1', '4,x2,y2', '4,x3,y3', '3.5,x4,y4'];
  const write = (name: string, lines: string[]) =>
    fs.writeFileSync(inFolder(name), `stars,title,content\n${lines.join('\n')}\n`);
  write('bad.csv', ['4,good,thing', ...rows]);
  const failed = await command('finetune', 'bad.csv', '--run-folder', inFolder('bad'));
  assertFailed(failed, 3, 'ReviewsError', 'REVIEWS_LABEL_NOT_NUMBER', "row 2: the label in 'stars' is 'a'");
  assert.ok(!fs.existsSync(inFolder('bad')));
  const options: ReviewsOptions = {
    problemType: 'regression',
    textColumns: ['title', 'content'],
    labelColumn: 'stars',
  };
  // The last is beyond float32.
  for (const value of ['8/10', 'true', '1-2', 'Infinity', '0x10', '1e39']) {
    write('value.csv', ['4,good,thing', `${value},x,y`]);
    const isTooLarge = value === '1e39';
    await assert.rejects(
      loadReviews(inFolder('value.csv'), options),
      failure(ReviewsError, 'REVIEWS_LABEL_NOT_NUMBER', { column: 'stars', row: 2, value, isTooLarge }),
    );
  }
  write('missing.csv', [
    ',no,label',
    'N/A,none,here',
    ...Array.from({ length: 9 }, (_, i) => `${i / 2} stars,text ${i},more`),
  ]);
  const { train, validation, test, source, labels } = await loadReviews(inFolder('missing.csv'), options);
  const numbers = [train, validation, test].flat().map(({ label }) => label);
  assert.deepEqual(
    numbers.toSorted((a, b) => a - b),
    [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4],
  );
  assert.deepEqual([source.dropped.missingLabel, labels], [2, ['stars']]);
  const again = await loadReviews(inFolder('missing.csv'), options);
  assert.deepEqual([again.train, again.test], [train, test], 'the split depends on the seed only');
  write('same.csv', ['4,a,b', '4,c,d', '4.0,e,f']);
  await assert.rejects(
    loadReviews(inFolder('same.csv'), options),
    failure(ReviewsError, 'REVIEWS_ONE_NUMBER', { column: 'stars', number: 4, rows: 3 }),
  );
});

test('named classes of a data set are read as their numbers, and its hidden labels are missing', async () => {
  const rows = [0, 4, -1, 2].map((label, i) => ({ text: `text ${i}`, label }));
  const file: RowFile = {
    name: 'named',
    columns: ['text', 'label'],
    rows: rows.length,
    chunks: chunksOf(0, rows.length, 100),
    classNames: { label: ['1 star', '2 stars', '3 stars', '4 stars', '5 stars'] },
    description: { format: 'named' },
    read: ({ start, rows: count }) => Promise.resolve(rows.slice(start, start + count)),
  };
  const candidate = { name: 'named', split: 'train' as const, content: { file } };
  const source = await createSource('named', [candidate], { problemType: 'regression' }, { files: [] });
  assert.match(source.notes[0]!, /^The classes 1 star, .* of 'label' are read as their numbers, from 0\.$/);
  const sample = await sampleReviews(source, { stratify: false });
  assert.deepEqual(
    sample.map(({ label }) => label),
    [0, 4, 2],
  );
  assert.equal(source.dropped.missingLabel, 1);
});

test('copies of a text stay together although their numbers differ', async () => {
  const lines = Array.from({ length: 60 }, (_, i) => `${i % 5},text ${i % 20},same`);
  fs.writeFileSync(inFolder('copies.csv'), `stars,title,content\n${lines.join('\n')}\n`);
  const { train, validation, test } = await loadReviews(inFolder('copies.csv'), {
    problemType: 'regression',
    labelColumn: 'stars',
    textColumns: ['title'],
  });
  const parts = [train, validation, test].map((part) => new Set(part.map(({ text }) => text)));
  assert.equal(
    parts.reduce((sum, { size }) => sum + size, 0),
    20,
  );
  assert.equal(train.length + validation.length + test.length, 60);
});

test('settings of classes and a swept problem type are rejected before any data is read', async () => {
  const rejects = async (value: string, name: string, ...flags: string[]) =>
    assertFailed(await command(name, 'none.csv', ...flags), 2, 'SettingsError', 'SETTING_CONFLICT', value);
  await rejects('--class-weights', 'finetune', '--class-weights', 'balanced');
  await rejects('--label-smoothing-factor', 'finetune', '--label-smoothing-factor', '0.1');
  await rejects('--focal-gamma', 'finetune', '--focal-gamma', '2');
  await rejects('--label-mapping', 'finetune', '--label-mapping', 'stars');
  await rejects('--teacher', 'finetune', '--teacher', 'teacher');
  await rejects('--method setfit', 'finetune', '--method', 'setfit');
  await rejects('--fold', 'finetune', '--fold', '1/5');
  await rejects('--fold', 'cross-validate');
  await rejects('--problem-type', 'sweep', '--problem-type', 'regression,single_label_classification');
});

test('a sweep chooses the lowest validation loss, and prunes by it', async () => {
  const flags = ['--lr', '5e-3,1e-7', '--max-steps', '12', '--eval-steps', '4'];
  const { status, stdout, stderr } = await command(
    'sweep',
    'stars.csv',
    ...flags,
    '--pruner',
    'asha',
    '--batch-size',
    '8',
    '--run-folder',
    inFolder('sweep'),
  );
  assert.equal(status, 0, stderr);
  const result = JSON.parse(fs.readFileSync(inFolder('sweep/result.json'), 'utf8')) as SweepResult;
  assert.deepEqual([result.metric, result.best!.values], ['loss', { learningRate: '5e-3' }]);
  assert.deepEqual(
    result.runs.map(({ state }) => state),
    ['completed', 'pruned'],
  );
  assert.match(result.runs[1]!.message!, /^at evaluation 1, a loss of \d+\.\d{4} is not among the best 1 of 2 runs$/);
  assert.ok(
    stdout.includes(
      `Best by validation loss: learningRate 5e-3. Its test loss: ${result.best!.test!.mean.toFixed(4)}.`,
    ),
  );
});

test('score, the server and the exported graph give the number; softmax and calibration are rejected', async () => {
  const model = inFolder('run/model');
  const exported = await tunebook(['export', inFolder('run'), '--json']);
  assert.equal(exported.status, 0, exported.stderr);
  const report = JSON.parse(exported.stdout) as RegressionExportReport;
  assert.ok(!('accuracy' in report) && report.files.float32.difference < 1e-4);
  await assert.rejects(
    exportModel(model, [], { version: '0' }),
    failure(ArgumentError, 'ARGUMENT_PROBLEM_TYPE', { problemType: 'regression' }),
  );
  assert.ok(Math.abs(report.meanAbsoluteError - metricsOf('run').test.meanAbsoluteError) < 1e-5);
  const classifier = TextClassifier.fromFolder(model, { precision: 'float32' });
  const expected = classifier.predict(texts);
  const ids = classifier.encode(
    texts.map((text) => ({ text, label: 0 })),
    32,
  ).ids;
  classifier.dispose();
  assert.ok(
    expected.some(({ score }) => score > 1),
    'a probability would be at most 1',
  );
  const engine = await openOnnxEngine(model);
  const logits = await engine.logits(ids);
  await engine.dispose();
  const isClose = (scores: number[]) =>
    assert.ok(
      scores.length === 3 && scores.every((score, i) => Math.abs(score - expected[i]!.score) < 1e-4),
      scores.join(),
    );
  isClose([...logits]);

  const scored = await tunebook(['score', '--model', model, '--json', ...texts]);
  const predictions = JSON.parse(scored.stdout) as { label: string; score: number }[];
  isClose(predictions.map(({ score }) => score));
  assert.ok(predictions.every(({ label }) => label === 'stars'));
  // Labels of 0 and 1 are numbers here, and no classes to be named.
  fs.writeFileSync(inFolder('binary.csv'), 'title,content,label\na,good,1\nb,bad,0\n');
  const files = ['--file', inFolder('binary.csv'), '--out', inFolder('binary-scored.csv')];
  const binary = await tunebook(['score', '--model', model, ...files]);
  assert.equal(binary.status, 0, binary.stderr);
  assert.doesNotMatch(binary.stderr, /negative|label-mapping/);
  const file = await tunebook([
    'score',
    '--model',
    model,
    '--file',
    inFolder('stars.csv'),
    '--out',
    inFolder('scored.csv'),
  ]);
  assert.match(file.stdout, /^Mean absolute error \d\.\d{3} of 240 rows with a number in 'stars'/);
  assert.match(
    fs.readFileSync(inFolder('scored.csv'), 'utf8'),
    /^stars,title,content,predicted_label,predicted_score\n1,.*,stars,-?\d\.\d+\n/,
  );
  const calibrated = await tunebook(['score', '--model', model, '--calibrated', 'text']);
  assertFailed(calibrated, 3, 'ModelFormatError', 'MODEL_NOT_CALIBRATED', 'predicts a number');

  const { app } = await createServer(await openSentimentModel(model), { tunebook: '0' });
  const post = async (url: string, payload: object) => {
    const response = await app.inject({ method: 'POST', url, payload });
    return { status: response.statusCode, body: response.json<never>() };
  };
  const huggingFace = await post('/predict', { inputs: texts });
  const rows = huggingFace.body as { label: string; score: number }[][];
  isClose(rows.map(([row]) => row!.score));
  assert.ok(rows.every((row) => row.length === 1 && row[0]!.label === 'stars'));
  assert.equal((await post('/predict', { inputs: texts, parameters: { function_to_apply: 'softmax' } })).status, 400);
  const mlflow = (await post('/invocations', { inputs: texts })).body as { predictions: { score: number }[] };
  isClose(mlflow.predictions.map(({ score }) => score));
  const infer = (outputs: string[]) =>
    post('/v2/models/sentiment/infer', {
      inputs: [{ name: 'text', shape: [3], datatype: 'BYTES', data: texts }],
      outputs: outputs.map((name) => ({ name })),
    });
  assert.equal((await infer(['probabilities'])).status, 400);
  const metadata = (await app.inject('/v2/models/sentiment')).json<{ outputs: { name: string }[] }>();
  assert.deepEqual(
    metadata.outputs.map(({ name }) => name),
    ['label', 'score'],
  );
  const { outputs } = (await infer(['label', 'score'])).body as { outputs: { data: (string | number)[] }[] };
  assert.deepEqual(outputs[0]!.data, ['stars', 'stars', 'stars']);
  isClose(outputs[1]!.data as number[]);
  const openApi = (await app.inject({ method: 'GET', url: '/openapi.json' })).json<{ info: { description: string } }>();
  assert.equal(openApi.info.description, "Predicts the number 'stars' of reviews.");
  await app.close();
});
