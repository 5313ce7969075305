/**
 * `tunebook finetune --problem-type multi_label_classification`: lists of classes are read, predicted, evaluated and reported; the same
 * with the techniques of training; sweeps choose the highest micro F1; scoring, serving and the exported graph give all classes.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import Papa from 'papaparse';
import { ArgumentError } from '#lib/errors.js';
import { multiLabelMetrics } from '#lib/evaluation/multi-label-metrics.js';
import { exportModel, type MultiLabelExportReport } from '#lib/export/export.js';
import type { SweepResult } from '#lib/jobs/sweep.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { loadReviews } from '#lib/reviews/load-reviews.js';
import { labelRow } from '#lib/reviews/review.js';
import { readJournal } from '#lib/runs/journal.js';
import type { MultiLabelRunMetrics } from '#lib/runs/metrics.js';
import { RunFolder } from '#lib/runs/run-folder.js';
import { createServer } from '#lib/serving/server.js';
import { openSentimentModel, type Prediction } from '#lib/serving/sentiment.js';
import { tunebook, writeTinyModel } from '../cli/command.js';
import { assertFailed, failure } from '../failure.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-multi-label-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const multiLabel = ['--problem-type', 'multi_label_classification', '--precision', 'float32', '--max-length', '32'];
const command = (name: string, dataset: string, ...flags: string[]) =>
  tunebook([name, '--dataset', inFolder(dataset), '--model', inFolder('model'), ...multiLabel, ...flags]);
const finetune = (run: string, ...flags: string[]) =>
  command('finetune', 'topics.jsonl', '--run-folder', inFolder(run), ...flags);
const metricsOf = (run: string) => new RunFolder(inFolder(run)).read<MultiLabelRunMetrics>('metrics.json')!;

/** The classes that apply to a text, by a word of each. */
const words = { delivery: 'courier', price: 'cheap', quality: 'sturdy' };
const labels = Object.keys(words);
const topicsOf = (text: string) => labels.filter((label) => text.includes(words[label as keyof typeof words]));
const rows = Array.from({ length: 240 }, (_, i) => {
  const said = Object.values(words).filter((_, bit) => ((i * 5) >> bit) & 1);
  return { text: `number ${i} of ${['lamp', 'kettle', 'radio'][i % 3]} ${said.join(' and ')}` };
}).map(({ text }) => ({ text, labels: topicsOf(text) }));
const texts = ['number 3 of lamp cheap and sturdy', 'number 4 of kettle courier', 'number 8 of radio'];
let output: string;

before(async () => {
  writeTinyModel(inFolder('model'), 0);
  fs.writeFileSync(inFolder('topics.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const flags = ['--lr', '5e-3', '--epochs', '4', '--batch-size', '8', '--report-to', 'tensorboard'];
  const { status, stdout, stderr } = await finetune('run', ...flags);
  assert.equal(status, 0, stderr);
  output = stdout;
});

test('metrics are those of the predictions on the test set, and better than the most frequent set', async () => {
  const { problemType, labelNames, test, baselines, errors, validation, data } = metricsOf('run');
  assert.deepEqual([problemType, labelNames], ['multi_label_classification', labels]);
  const { settings, sources } = new RunFolder(inFolder('run')).settings!;
  const reviews = await loadReviews(sources.dataset, settings);
  const { train, validation: held, test: testSet } = reviews;
  const counts = labels.map((_, i) => [train, held, testSet].flat().filter((row) => row.labels!.includes(i)).length);
  assert.deepEqual(
    data!.classes,
    labels.map((name, i) => ({ name, rows: counts[i]! })),
  );
  const model = TextClassifier.fromFolder(inFolder('run/model'), { precision: 'float32' });
  assert.equal(model.problemType, problemType);
  const predicted = model.predict(testSet.map(({ text }) => text));
  model.dispose();
  const logits = predicted.flatMap(({ probabilities }) =>
    labels.map((name) => Math.log(probabilities![name]! / (1 - probabilities![name]!))),
  );
  const expected = multiLabelMetrics(
    logits,
    testSet.flatMap((row) => labelRow(row, labels.length)),
    labels,
  );
  assert.ok(Math.abs(expected.loss - test.loss) < 1e-4);
  assert.deepEqual({ ...expected, loss: test.loss }, test);
  const [frequent, bag] = baselines;
  assert.deepEqual([frequent!.name, bag!.name], ['most frequent set of classes', 'bag of words']);
  assert.ok(test.micro.f1 > 0.9 && test.micro.f1 > frequent!.micro.f1, JSON.stringify(test));
  assert.ok(errors.every((error) => error.true !== error.predicted));
  const scores = readJournal(inFolder('run')).flatMap((entry) =>
    entry.kind === 'step' && entry.evalMicroF1 !== undefined ? entry.evalMicroF1 : [],
  );
  assert.equal(validation!.metrics.micro.f1, Math.max(...scores));
});

test('console, report, model card, figures, TensorBoard and the list of runs have the metrics of sets', async () => {
  const { test: metrics } = metricsOf('run');
  const micro = metrics.micro.f1.toFixed(3);
  assert.match(output, /Rows per class: delivery \d+, price \d+, quality \d+\./);
  assert.match(output, new RegExp(`Test +micro F1 ${micro}, macro F1 \\S+, subset accuracy`));
  assert.match(output, /validation loss \d+\.\d{3}, micro F1 \d\.\d{3}\n/);
  const report = fs.readFileSync(inFolder('run/report.html'), 'utf8');
  const card = fs.readFileSync(inFolder('run/model/README.md'), 'utf8');
  assert.ok(report.includes(`Micro F1 ${micro}, macro F1`));
  assert.ok(report.includes(`The loss is the mean binary cross-entropy: ${metrics.loss.toFixed(3)}.`));
  assert.match(report, /alt="delivery: precision \d\.\d{3}, recall \d\.\d{3}, F1 \d\.\d{3}; price: /);
  assert.doesNotMatch(output, /Warning/);
  assert.match(
    card,
    new RegExp(`name: Micro F1\\n +args:\\n +average: micro\\n +value: ${Number(metrics.micro.f1.toFixed(4))}\n`),
  );
  assert.match(card, /\| quality \| \d\.\d{3} \| \d\.\d{3} \| \d\.\d{3} \| \d+ \|/);
  for (const text of [output, report, card]) assert.doesNotMatch(text, /confusion|alibrat|undefined|NaN/);
  const figures = fs.readdirSync(inFolder('run/figures')).filter((name) => name.endsWith('.png'));
  assert.deepEqual(figures, ['classes.png', 'learning-curves.png']);
  const [events] = fs.readdirSync(inFolder('run/tensorboard'));
  const written = fs.readFileSync(inFolder('run/tensorboard', events!), 'latin1');
  for (const tag of ['eval/f1_micro', 'test/f1_micro', 'test/f1_macro', 'test/hamming_loss'])
    assert.ok(written.includes(tag), tag);
  assert.ok(!written.includes('eval/accuracy'));
  const listed = await tunebook(['runs', inFolder('run')]);
  assert.match(listed.stdout, new RegExp(`test micro F1 +${micro}`));
  const compared = await tunebook(['compare', inFolder('run'), inFolder('run')]);
  assertFailed(compared, 2, 'RunError', 'RUNS_NOT_COMPARABLE', 'all classes that apply');
});

test('LoRA, accumulation, streaming and two workers train; a resumed run ends as one without interruption', async () => {
  const short = ['--max-steps', '4', '--batch-size', '8', '--eval-steps', '2', '--lr', '1e-3'];
  const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-4 * b, `${a} against ${b}`);
  const variants: Record<string, string[]> = {
    lora: ['--lora-rank', '4', '--lora-target-modules', 'all-linear'],
    accumulated: ['--gradient-accumulation-steps', '2'],
    streamed: ['--streaming'],
  };
  for (const [name, flags] of Object.entries(variants)) {
    const { status, stderr } = await finetune(name, ...short, ...flags);
    assert.equal(status, 0, `${name}: ${stderr}`);
    assert.ok(metricsOf(name).test.loss < 1, name);
  }
  assert.deepEqual(
    metricsOf('streamed').data!.classes.map(({ rows }) => rows),
    [120, 120, 120],
  );
  // Two workers read the stream together, and have the mean of all rows.
  const launch = [
    'launch',
    '--workers',
    '2',
    'finetune',
    '--dataset',
    inFolder('topics.jsonl'),
    '--model',
    inFolder('model'),
  ];
  const ranks = await tunebook([...launch, ...multiLabel, ...short, '--streaming', '--run-folder', inFolder('ranks')]);
  assert.equal(ranks.status, 0, ranks.stderr);
  close(metricsOf('ranks').test.loss, metricsOf('streamed').test.loss);
  const merged = await tunebook(['merge', inFolder('lora/adapter'), inFolder('merged')]);
  assert.equal(merged.status, 0, merged.stderr);
  const configOf = (name: string) => JSON.parse(fs.readFileSync(inFolder(name, 'config.json'), 'utf8')) as object;
  assert.deepEqual(configOf('merged'), configOf('lora/model'));
  fs.cpSync(inFolder('accumulated'), inFolder('resumed'), { recursive: true });
  fs.rmSync(inFolder('resumed/checkpoints/checkpoint-4'), { recursive: true });
  for (const name of ['metrics.json', 'model', 'status.json'])
    fs.rmSync(inFolder('resumed', name), { recursive: true });
  const resumed = await finetune('resumed', ...short, ...variants['accumulated']!, '--resume');
  assert.equal(resumed.status, 0, resumed.stderr);
  assert.match(resumed.stdout, /Resuming from .*checkpoint-2/);
  close(metricsOf('resumed').test.loss, metricsOf('accumulated').test.loss);
});

test('columns of 0 and 1 train and are scored as such', async () => {
  const csv = rows.map((row) => [row.text, ...labels.map((name) => Number(row.labels.includes(name)))].join());
  fs.writeFileSync(inFolder('flags.csv'), `text,${labels.join()}\n${csv.join('\n')}\n`);
  const flags = ['--label-column', labels.toReversed().join(), '--run-folder', inFolder('flags'), '--max-steps', '2'];
  const { status, stdout, stderr } = await command('finetune', 'flags.csv', ...flags);
  assert.equal(status, 0, stderr);
  // After two steps the model has learned nothing, which console, journal and report say.
  const { warnings } = metricsOf('flags');
  assert.deepEqual(
    warnings!.map(({ code }) => code),
    ['CLASS_NEVER_PREDICTED', 'F1_NOT_ABOVE_MAJORITY'],
  );
  const report = fs.readFileSync(inFolder('flags/report.html'), 'utf8');
  const card = fs.readFileSync(inFolder('flags/model/README.md'), 'utf8');
  for (const { code, message } of warnings!) {
    assert.ok(stdout.includes(`Warning [${code}]: ${message}`), stdout);
    assert.ok(report.includes(message) && card.includes(message));
    assert.ok(readJournal(inFolder('flags')).some((entry) => entry.kind === 'warning' && entry.message === message));
  }
  assert.deepEqual(metricsOf('flags').labelNames, labels.toReversed());
  const exported = await tunebook(['export', inFolder('flags')]);
  assert.match(exported.stdout, /TensorFlow's micro F1 in float32 is \d\.\d{3}/);
  const files = ['--file', inFolder('flags.csv'), '--out', inFolder('flags-scored.csv'), '--json'];
  const scored = await tunebook(['score', '--model', inFolder('flags'), ...files]);
  const counts = JSON.parse(scored.stdout) as { labeled: number; subsetAccuracy: number };
  const written = Papa.parse<Record<string, string>>(fs.readFileSync(inFolder('flags-scored.csv'), 'utf8').trim(), {
    header: true,
  });
  const isRight = (row: Record<string, string>) =>
    labels.every((name) => (row[name] === '1') === (JSON.parse(row['predicted_labels']!) as string[]).includes(name));
  assert.deepEqual(counts.subsetAccuracy, written.data.filter(isRight).length / 240);
  assert.equal(counts.labeled, 240);
});

test('settings of exclusive classes and a swept problem type are rejected before any data is read', async () => {
  const rejects = async (value: string, name: string, ...flags: string[]) =>
    assertFailed(await command(name, 'none.csv', ...flags), 2, 'SettingsError', 'SETTING_CONFLICT', value);
  await rejects('--class-weights', 'finetune', '--class-weights', 'balanced');
  await rejects('--label-smoothing-factor', 'finetune', '--label-smoothing-factor', '0.1');
  await rejects('--focal-gamma', 'finetune', '--focal-gamma', '2');
  await rejects('--label-mapping', 'finetune', '--label-mapping', 'stars');
  await rejects('--teacher', 'finetune', '--teacher', 'teacher');
  await rejects('--method head', 'finetune', '--method', 'head');
  await rejects('--fold', 'finetune', '--fold', '1/5');
  await rejects('--fold', 'cross-validate');
  await rejects('--problem-type', 'sweep', '--problem-type', 'regression,multi_label_classification');
  const invalid = await command('finetune', 'bad.jsonl', '--run-folder', inFolder('bad'));
  assert.equal(invalid.status, 2);
  fs.writeFileSync(inFolder('bad.jsonl'), '{"text":"a","labels":["x","y"]}\n{"text":"b","labels":"x"}\n');
  const failed = await command('finetune', 'bad.jsonl', '--run-folder', inFolder('bad'));
  assertFailed(failed, 3, 'ReviewsError', 'REVIEWS_LABELS_INVALID', "row 2: 'x' in 'labels' is not a list");
  assert.ok(!fs.existsSync(inFolder('bad')));
});

test('a sweep chooses the highest validation micro F1, and prunes by it', async () => {
  const flags = [
    '--lr',
    '5e-3,1e-7',
    '--max-steps',
    '24',
    '--eval-steps',
    '12',
    '--batch-size',
    '8',
    '--pruner',
    'asha',
  ];
  const { status, stdout, stderr } = await command(
    'sweep',
    'topics.jsonl',
    ...flags,
    '--run-folder',
    inFolder('sweep'),
  );
  assert.equal(status, 0, stderr);
  const result = JSON.parse(fs.readFileSync(inFolder('sweep/result.json'), 'utf8')) as SweepResult;
  assert.deepEqual([result.metric, result.best!.values], ['microF1', { learningRate: '5e-3' }]);
  assert.deepEqual(
    result.runs.map(({ state }) => state),
    ['completed', 'pruned'],
  );
  assert.match(
    result.runs[1]!.message!,
    /^at evaluation 1, a micro F1 of \d\.\d{4} is not among the best 1 of 2 runs$/,
  );
  const test = result.best!.test!.mean.toFixed(4);
  assert.ok(stdout.includes(`Best by validation micro F1: learningRate 5e-3. Its test micro F1: ${test}.`), stdout);
});

test('score, the server and the exported graph give all classes; softmax and calibration are rejected', async () => {
  const model = inFolder('run/model');
  const exported = await tunebook(['export', inFolder('run'), '--json']);
  assert.equal(exported.status, 0, exported.stderr);
  const report = JSON.parse(exported.stdout) as MultiLabelExportReport;
  assert.ok(!('accuracy' in report) && report.files.float32.difference < 1e-4 && report.files.float32.agreement === 1);
  assert.equal(report.microF1, metricsOf('run').test.micro.f1);
  await assert.rejects(
    exportModel(model, [], { version: '0' }),
    failure(ArgumentError, 'ARGUMENT_PROBLEM_TYPE', { problemType: 'multi_label_classification' }),
  );
  const classifier = TextClassifier.fromFolder(model, { precision: 'float32' });
  const expected = classifier.predict(texts);
  classifier.dispose();
  const probability = (row: number, name: string) => expected[row]!.probabilities![name]!;
  assert.deepEqual(
    expected.map((each) => each.labels),
    texts.map(topicsOf),
  );
  // Without any class the label is null, and the score the highest probability.
  const highest = texts.map((_, row) => labels.toSorted((a, b) => probability(row, b) - probability(row, a))[0]!);
  assert.deepEqual(
    expected.map((each) => each.label),
    [highest[0], highest[1], null],
  );
  const assertSame = (predictions: Prediction[]) => {
    assert.deepEqual(
      predictions.map((each) => [each.label, each.labels]),
      expected.map((each) => [each.label, each.labels]),
    );
    predictions.forEach(({ score, probabilities }, row) => {
      assert.ok(Math.abs(score - expected[row]!.score) < 1e-4);
      for (const name of labels) assert.ok(Math.abs(probabilities![name]! - probability(row, name)) < 1e-4);
    });
  };
  const scored = await tunebook(['score', '--model', model, '--json', ...texts]);
  assertSame(JSON.parse(scored.stdout) as Prediction[]);
  const printed = await tunebook(['score', '--model', model, ...texts]);
  assert.match(
    printed.stdout,
    /^price \d\.\d{3}, quality \d\.\d{3} {2}number 3 .*\ndelivery \d\.\d{3} {2}number 4 .*\nnone {2}number 8 .*\n$/,
  );
  const file = await tunebook([
    'score',
    '--model',
    model,
    '--file',
    inFolder('topics.jsonl'),
    '--out',
    inFolder('scored.jsonl'),
  ]);
  assert.match(file.stdout, /^Subset accuracy \(all classes right\) \d+\.\d % of 240 rows with a label in 'labels'/);
  const [first] = fs.readFileSync(inFolder('scored.jsonl'), 'utf8').split('\n');
  const row = JSON.parse(first!) as Record<string, unknown>;
  assert.deepEqual(Object.keys(row), [
    'text',
    'labels',
    'predicted_labels',
    ...labels.map((name) => `probability_${name}`),
  ]);
  assert.deepEqual(
    row['predicted_labels'],
    labels.filter((name) => (row[`probability_${name}`] as number) >= 0.5),
  );
  const calibrated = await tunebook(['score', '--model', model, '--calibrated', 'text']);
  assertFailed(calibrated, 3, 'ModelFormatError', 'MODEL_NOT_CALIBRATED', 'several classes');

  const { app } = await createServer(await openSentimentModel(model), { tunebook: '0' });
  const post = async <Body>(url: string, payload: object) => {
    const response = await app.inject({ method: 'POST', url, payload });
    return { status: response.statusCode, body: response.json<Body>() };
  };
  const huggingFace = await post<{ label: string; score: number }[][]>('/predict', { inputs: texts });
  huggingFace.body.forEach((each, i) => {
    const order = labels.toSorted((a, b) => probability(i, b) - probability(i, a));
    assert.deepEqual(
      each.map(({ label }) => label),
      order,
    );
    assert.ok(each.every(({ label, score }) => Math.abs(score - probability(i, label)) < 1e-4));
  });
  const softmax = { inputs: texts, parameters: { function_to_apply: 'softmax' } };
  assert.equal((await post('/predict', softmax)).status, 400);
  assertSame((await post<{ predictions: Prediction[] }>('/invocations', { inputs: texts })).body.predictions);
  assertSame((await post<{ result: Prediction[] }>('/model', { data: { sentence: texts } })).body.result);
  type Output = { name: string; datatype: string; shape: number[]; parameters?: object; data: unknown[] };
  const input = { name: 'text', shape: [3], datatype: 'BYTES', data: texts };
  const { outputs } = (await post<{ outputs: Output[] }>('/v2/models/sentiment/infer', { inputs: [input] })).body;
  const { outputs: metadata } = (await app.inject('/v2/models/sentiment')).json<{ outputs: Omit<Output, 'data'>[] }>();
  const parameters = { class_names: JSON.stringify(labels) };
  assert.deepEqual(metadata, [
    { name: 'label', datatype: 'BYTES', shape: [-1] },
    { name: 'score', datatype: 'FP32', shape: [-1] },
    { name: 'labels', datatype: 'BYTES', shape: [-1] },
    { name: 'probabilities', datatype: 'FP32', shape: [-1, 3], parameters },
  ]);
  assert.deepEqual(
    outputs.map(({ data: _, ...each }) => each),
    metadata.map((each) => ({ ...each, shape: [3, ...each.shape.slice(1)] })),
  );
  assert.deepEqual(outputs[0]!.data, [highest[0], highest[1], '']);
  assert.deepEqual(
    outputs[2]!.data.map((each) => JSON.parse(each as string) as unknown),
    expected.map((each) => each.labels),
  );
  outputs[3]!.data.forEach((each, i) =>
    assert.ok(Math.abs((each as number) - probability(Math.floor(i / 3), labels[i % 3]!)) < 1e-4),
  );
  const openApi = (await app.inject({ method: 'GET', url: '/openapi.json' })).json<{ info: { description: string } }>();
  assert.equal(openApi.info.description, 'Predicts which classes apply to reviews: delivery, price, quality.');
  await app.close();
});
