// Scoring without TensorFlow: sentences, and files of any size.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import Papa from 'papaparse';
import { exportModel } from '#lib/export/export.js';
import { writePreprocessing } from '#lib/model/preprocessing.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import type { Reading } from '#lib/reviews/review.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openSentimentModel } from '#lib/serving/sentiment.js';
import { assertFailed } from '../failure.js';
import { root } from '../checkout.js';
import { start, tunebook, writeTinyModel } from '../cli/command.js';

const readCsv = <Row>(text: string) => Papa.parse<Row>(text, { header: true, skipEmptyLines: true }).data;

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

test("onnxruntime's telemetry is off, unless it is wanted: no id of the machine is stored", async () => {
  const filesWith = async (environment: Record<string, string>) => {
    const cache = fs.mkdtempSync(inFolder('cache-'));
    // onnxruntime has no telemetry in CI.
    const env = { CI: '', TF_BUILD: '', GITHUB_ACTIONS: '', XDG_CACHE_HOME: cache, ...environment };
    const { status, stderr } = await tunebook(['score', '--model', inFolder('model'), 'It broke.'], { env });
    assert.equal(status, 0, stderr);
    return fs.readdirSync(cache);
  };
  assert.deepEqual(await filesWith({}), []);
  // So that the line above can fail: with telemetry, there is a folder.
  if (process.platform === 'linux' && process.arch === 'x64')
    assert.deepEqual(await filesWith({ ORT_DISABLE_TELEMETRY: '' }), ['Microsoft']);
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
  const scored = readCsv<Record<string, string>>(fs.readFileSync(inFolder('scored.csv'), 'utf8'));
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
  assert.deepEqual(JSON.parse(lines.stdout), {
    rows: 2500,
    withoutText: 0,
    format: 'JSON lines (utf-8)',
    truncated: 0,
    labeled: 0,
    otherLabels: 0,
    textColumns: ['title', 'text'],
    out: inFolder('scored.jsonl'),
  });
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

/** The exported model with the preprocessing of a training run; `inFolder('runs/train/model')`. */
function writeTrainedModel(reading: Partial<Reading> = {}): void {
  fs.cpSync(inFolder('model'), inFolder('runs/train/model'), { recursive: true });
  writePreprocessing(inFolder('runs/train/model'), {
    maxLength: 16,
    reading: {
      textColumns: ['title', 'content'],
      labelColumn: 'stars',
      classes: { names: ['negative', 'positive'], numberOf: { 1: 0, 5: 1 }, partial: true },
      ...reading,
    },
  });
}

test('a file is read and truncated as in training, and its labels are compared with the predictions', async () => {
  writeTrainedModel();
  const long = 'fine '.repeat(20).trim();
  const rows = [
    { stars: '1', title: 'Bad', content: 'Broken.', remark: 'Great.' },
    { stars: '5', title: '', content: 'Works.', remark: 'Great.' },
    { stars: '3', title: 'So', content: long, remark: 'Great.' },
    { stars: '5', title: '', content: '', remark: 'Great.' },
  ];
  const csv = ['stars,title,content,remark', ...rows.map((row) => Object.values(row).join(','))].join('\n');
  fs.writeFileSync(inFolder('stars.csv'), `${csv}\n`);
  const score = (...argv: string[]) => tunebook(['score', ...argv], { cwd: folder });
  const trained = await score('--file', 'stars.csv', '--out', 'by-training.jsonl');
  assert.equal(trained.status, 0, trained.stderr);
  assert.match(trained.stderr, /^Text columns: title, content, as in training\.$/m);
  assert.match(trained.stderr, /^1 of 3 texts were truncated to 16 tokens, as in training\.$/m);
  const scored = fs
    .readFileSync(inFolder('by-training.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { predicted_label: string | null; predicted_score: number | null });
  const classifier = TextClassifier.fromFolder(inFolder('runs/train/model'), { precision: 'float32' });
  const expected = classifier.predict(['Bad. Broken.', 'Works.', `So. ${'fine '.repeat(12)}`]);
  classifier.dispose();
  for (const [i, { label, score }] of expected.entries()) {
    assert.equal(scored[i]!.predicted_label, label);
    assert.ok(Math.abs(scored[i]!.predicted_score! - score) < 1e-4);
  }
  assert.equal(scored[3]!.predicted_label, null);
  const correct = [expected[0]!.label === 'negative', expected[1]!.label === 'positive'].filter(Boolean).length;
  assert.match(trained.stdout, new RegExp(`Accuracy ${50 * correct}\\.0 % of 2 rows with a label in 'stars'`));

  const other = await score('--file', 'stars.csv', '--out', 'other.jsonl', '--text-col', 'remark', '--json');
  assert.match(other.stderr, /^Text columns: remark, as specified; the model was trained on title, content\.$/m);
  const { textColumns, labeled } = JSON.parse(other.stdout) as { textColumns: string[]; labeled: number };
  assert.deepEqual([textColumns, labeled], [['remark'], 3]);
  // Labels that cannot be compared do not end the scoring, and their number is reported.
  const values = ['1', '7', 'fine', ['1', '5'], null];
  const labels = values.map((stars) => JSON.stringify({ title: 'Fine', content: 'Works.', stars }));
  fs.writeFileSync(inFolder('labels.jsonl'), `${labels.join('\n')}\n`);
  const compared = await score('--file', 'labels.jsonl', '--out', 'labels-scored.jsonl');
  assert.equal(compared.status, 0, compared.stderr);
  assert.match(compared.stderr, /^Not compared: 3 rows whose label in 'stars' is none of training\.$/m);
  assert.match(compared.stdout, / of 1 rows with a label in 'stars'/);
  const unknown = await score('--model', 'model', '--file', 'stars.csv', '--out', 'usual.jsonl');
  assert.match(unknown.stderr, /^Text columns: title, content, chosen by their names: the model does not store/m);
  fs.writeFileSync(inFolder('texts.csv'), 'id,words\n1,Great.\n');
  const missing = await score('--file', 'texts.csv', '--out', 'missing.csv');
  assertFailed(missing, 3, 'ReviewsError', 'REVIEWS_NO_COLUMN', 'title, content', "'id', 'words'", '--text-columns');
  assert.ok(!fs.existsSync(inFolder('missing.csv')));
  fs.writeFileSync(inFolder('text.csv'), 'id;text\n1;Caf\xe9.\n', 'latin1');
  const usual = await score('--file', 'text.csv', '--out', 'text-scored.csv');
  assert.match(
    usual.stderr,
    /^Text columns: text, chosen by their names: the file lacks the training columns title, content\.$/m,
  );
  assert.match(usual.stdout, /written as delimited text \(semicolon, windows-1252\)$/m);
  assert.match(
    fs.readFileSync(inFolder('text-scored.csv'), 'latin1'),
    /^id;text;predicted_label;predicted_score\n1;Caf\xe9\.;(negative|positive);0\.\d+\n$/,
  );
});

test('an existing file is replaced only with --overwrite, even if it is the input file', async () => {
  fs.writeFileSync(inFolder('own.csv'), 'text\nGreat.\nBroken.\n');
  fs.symlinkSync('own.csv', inFolder('link.csv'));
  fs.writeFileSync(inFolder('result.csv'), 'valuable');
  const score = (out: string, ...more: string[]) =>
    tunebook(['score', '--model', 'model', '--file', 'own.csv', '--out', out, '--text-col', 'text', ...more], {
      cwd: folder,
    });
  for (const [out, reason] of [
    ['own.csv', 'is the input file'],
    ['link.csv', 'is the input file'],
    ['result.csv', 'exists already'],
  ] as const)
    assertFailed(await score(out), 2, 'FileError', 'FILE_EXISTS', out, reason, '--overwrite');
  assert.equal(fs.readFileSync(inFolder('own.csv'), 'utf8'), 'text\nGreat.\nBroken.\n');
  assert.equal(fs.readFileSync(inFolder('result.csv'), 'utf8'), 'valuable');
  assertFailed(await score('none/out.csv'), 2, 'FileError', 'FILE_NOT_FOUND', 'none');
  const replaced = await score('own.csv', '--overwrite');
  assert.equal(replaced.status, 0, replaced.stderr);
  const lines = fs.readFileSync(inFolder('own.csv'), 'utf8').split('\n');
  assert.equal(lines[0], 'text,predicted_label,predicted_score');
  assert.deepEqual([lines[1]!.split(',')[0], lines[2]!.split(',')[0]], ['Great.', 'Broken.']);
  // A failure, here a column that exists already, leaves the file as it was.
  const scored = fs.readFileSync(inFolder('own.csv'), 'utf8');
  assertFailed(await score('own.csv', '--overwrite'), 3, 'ReviewsError', 'REVIEWS_COLUMN_EXISTS');
  assert.equal(fs.readFileSync(inFolder('own.csv'), 'utf8'), scored);
});

/** Scores a file with the tiny model and returns what was printed, and the bytes of the output. */
async function scoreTo(file: string, out: string, ...more: string[]) {
  const result = await tunebook(['score', '--model', 'model', '--file', file, '--out', out, ...more], { cwd: folder });
  assert.equal(result.status, 0, result.stderr);
  return { ...result, bytes: fs.readFileSync(inFolder(out)) };
}

test('a signal ends scoring, keeps an existing file and leaves nothing else', async () => {
  const place = inFolder('interrupted');
  fs.mkdirSync(place);
  fs.writeFileSync(path.join(place, 'many.csv'), `text\n${'Great and works as described.\n'.repeat(100_000)}`);
  fs.writeFileSync(path.join(place, 'out.csv'), 'valuable');
  const flags = ['--model', inFolder('model'), '--file', 'many.csv', '--out', 'out.csv', '--overwrite'];
  const { child, ended } = start(['score', ...flags], { cwd: place });
  const isWriting = () => fs.readdirSync(place).some((name) => name.endsWith('.partial'));
  while (child.exitCode === null && !isWriting()) await pause(50);
  child.kill('SIGINT');
  assert.equal((await ended).status, 130);
  assert.deepEqual(fs.readdirSync(place).toSorted(), ['many.csv', 'out.csv']);
  assert.equal(fs.readFileSync(path.join(place, 'out.csv'), 'utf8'), 'valuable');
});

test('the output has the encoding of the input, or UTF-8 where that lacks a character: none is replaced', async () => {
  fs.mkdirSync(inFolder('mixed'));
  fs.writeFileSync(inFolder('mixed/a.csv'), 'text\nCaf\xe9.\n', 'latin1');
  fs.writeFileSync(inFolder('mixed/b.csv'), 'text\nFine 😀\n');
  const mixed = await scoreTo('mixed', 'mixed.csv');
  assert.match(mixed.bytes.toString(), /^text,predicted_label,predicted_score\nCafé\.,.*\nFine 😀,.*\n$/);
  assert.match(mixed.stderr, /written in utf-8, since the files have several encodings: utf-8, windows-1252\./);
  assert.match(mixed.stdout, /written as delimited text \(comma, utf-8\)/);

  // The character is in a row far behind the first.
  const lines = Array.from({ length: 2500 }, (_, i) => `{"text": "Caf\xe9 ${i}${i === 2400 ? ' \\u2605' : ''}"}\n`);
  fs.writeFileSync(inFolder('escapes.jsonl'), lines.join(''), 'latin1');
  const escapes = await scoreTo('escapes.jsonl', 'escapes.csv');
  assert.match(escapes.stderr, /written in utf-8, since windows-1252 has no '★'\./);
  const rows = readCsv<{ text: string }>(escapes.bytes.toString());
  assert.deepEqual([rows[0]!.text, rows[2400]!.text], ['Café 0', 'Café 2400 ★']);
  fs.writeFileSync(inFolder('escapes.jsonl'), lines.slice(0, 3).join(''), 'latin1');
  const same = await scoreTo('escapes.jsonl', 'same.csv');
  assert.match(same.stdout, /\(comma, windows-1252\)/);
  assert.match(same.bytes.toString('latin1'), /^Caf\xe9 0,/m);

  for (const [name, text] of [
    ['good/1.txt', 'Caf\xe9'],
    ['bad/1.txt', 'Poor'],
    ['bad/2.txt', Buffer.from('Müde').toString('latin1')],
  ] as const) {
    fs.mkdirSync(path.dirname(inFolder('classes', name)), { recursive: true });
    fs.writeFileSync(inFolder('classes', name), text, 'latin1');
  }
  const classes = await scoreTo('classes', 'classes.csv');
  assert.match(classes.bytes.toString(), /^Müde,bad,.*\nCafé,good,/m);
});

test('a byte order mark is kept in delimited text, so that Excel reads it as UTF-8', async () => {
  fs.writeFileSync(inFolder('mark.csv'), '\ufefftext;id\nCafé;1\n');
  const { bytes, stdout } = await scoreTo('mark.csv', 'mark-scored.csv');
  assert.ok(bytes.toString().startsWith('\ufefftext;id;predicted_label'));
  assert.match(stdout, /\(semicolon, utf-8 with a byte order mark\)/);
  const lines = await scoreTo('mark.csv', 'mark-scored.jsonl');
  assert.ok(lines.bytes.toString().startsWith('{"text":"Café"'));
});

test('other columns are not changed: large integers, objects and lists', async () => {
  const other = '"id":570306133677760513,"meta":{"ids":[570306133677760514]},"tags":["x","y"]';
  fs.writeFileSync(
    inFolder('nested.jsonl'),
    `{"text":"Fine.",${other}}\n{"text":"Poor.","id":1,"meta":null,"tags":[]}\n`,
  );
  const lines = (await scoreTo('nested.jsonl', 'nested-scored.jsonl')).bytes.toString();
  assert.ok(lines.startsWith(`{"text":"Fine.",${other},"predicted_label"`), lines);
  const rows = readCsv<Record<string, string>>((await scoreTo('nested.jsonl', 'nested.csv')).bytes.toString());
  assert.deepEqual(
    rows.map(({ id, meta, tags }) => [id, meta, tags]),
    [
      ['570306133677760513', '{"ids":[570306133677760514]}', '["x","y"]'],
      ['1', '', '[]'],
    ],
  );
});

test('a file that exists already beside the output is neither overwritten nor removed', async () => {
  fs.writeFileSync(inFolder('beside.csv.partial'), 'valuable');
  await scoreTo('mark.csv', 'beside.csv');
  assert.equal(fs.readFileSync(inFolder('beside.csv.partial'), 'utf8'), 'valuable');
  assert.deepEqual(
    fs.readdirSync(folder).filter((name) => name.includes('partial')),
    ['beside.csv.partial'],
  );
});

test('the format that was named for training is the default of scoring', async () => {
  writeTrainedModel({ format: { delimiter: '@', header: false, columns: ['content', 'stars', 'title'] } });
  fs.writeFileSync(inFolder('named.txt'), 'Broken.@1@Bad\nWorks.@5@\n');
  const score = (file: string, ...more: string[]) =>
    tunebook(['score', '--file', file, '--out', 'named.csv', '--overwrite', ...more], { cwd: folder });
  const header = () => fs.readFileSync(inFolder('named.csv'), 'utf8').split('\n')[0];
  const trained = await score('named.txt');
  assert.match(
    trained.stderr,
    /^Format as in training: --delimiter '?@'?, --header false, --columns content,stars,title\. Flags override it\.$/m,
  );
  assert.match(trained.stderr, /^Text columns: title, content, as in training\.$/m);
  assert.match(trained.stdout, /of 2 rows with a label in 'stars'/);
  assert.equal(header(), 'content@stars@title@predicted_label@predicted_score');

  const flags = await score('named.txt', '--delimiter', '@', '--no-header', '--columns', 'title,stars,content');
  assert.doesNotMatch(flags.stderr, /Format as in training/);
  assert.equal(header(), 'title@stars@content@predicted_label@predicted_score');

  // Another format, with the columns of training and without.
  fs.writeFileSync(inFolder('other.csv'), 'title,content\nBad,Broken.\n');
  const detected = await score('other.csv');
  assert.match(detected.stderr, /^The format is detected: the columns are not those of training/m);
  assert.match(detected.stderr, /^Text columns: title, content, as in training\.$/m);
  fs.writeFileSync(inFolder('lines.txt'), 'It broke.\nIt works, and well.\n');
  const lines = await score('lines.txt');
  assert.match(lines.stderr, /^Text columns: column 1, chosen by their content: the file lacks the training columns/m);
});

test('errors of a file that lacks the columns of training are those of the file', async () => {
  writeTrainedModel({ textColumns: ['text'] });
  const score = (content: string) => {
    fs.writeFileSync(inFolder('wrong.csv'), content);
    return tunebook(['score', '--file', 'wrong.csv', '--out', 'wrong-scored.csv'], { cwd: folder });
  };
  const ambiguous = await score('Text,TEXT\nFine,Poor\n');
  assertFailed(ambiguous, 3, 'ReviewsError', 'REVIEWS_COLUMNS_AMBIGUOUS', "'Text', 'TEXT'", '--text-columns');
  const malformed = await score('review,id\nFine,1\nPoor\n');
  assertFailed(malformed, 3, 'ReviewsError', 'REVIEWS_MALFORMED', 'line 3');
});

test('a text may begin with a dash; an empty text is an error', async () => {
  const score = (...argv: string[]) => tunebook(['score', '--model', 'model', ...argv], { cwd: folder });
  const shown = ({ stdout }: { stdout: string }) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(/^\w+ +\S+ {2}/, ''));
  const texts = ['Fine.', '-1 star', '--great--', '-2', '--not_a flag', 'Fine.'];
  assert.deepEqual(shown(await score(...texts)), texts);
  const literal = await score('-1 star', '--precision', 'int8', '--', '--json', '--text_col');
  assert.deepEqual(shown(literal), ['-1 star', '--json', '--text_col']);
  assertFailed(await score('--presicion', 'int8', 'x'), 2, 'SettingsError', 'SETTING_UNKNOWN', '--precision?', '-- ');
  for (const empty of ['', ' \n\t'])
    assertFailed(await score('Fine.', empty), 2, 'SettingsError', 'SETTING_MISSING', 'nothing to score', 'text 2 of 2');
});

test('a model that a notebook saved outside a run can be scored with and is found as the newest model', async () => {
  writeTrainedModel();
  const folders = ['train', inFolder('runs/train')].map((name) => ['--model', name]);
  for (const argv of [[], ...folders]) {
    const { status, stdout, stderr } = await tunebook(['score', ...argv, 'Great.'], { cwd: folder });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^(negative|positive) /);
  }
});

test('errors for invalid input say how to fix it', async () => {
  const assertFails = async (exitCode: number, name: string, code: string, value: string, ...argv: string[]) =>
    assertFailed(await tunebook(['score', ...argv], { cwd: folder }), exitCode, name, code, value);
  const file = ['--model', 'model', '--file'];
  await assertFails(2, 'SettingsError', 'SETTING_MISSING', '--file');
  await assertFails(2, 'SettingsError', 'SETTING_MISSING', '--out', '--file', 'reviews.csv');
  await assertFails(2, 'SettingsError', 'SETTING_CONFLICT', '--file', '--file', 'a.csv', '--out', 'b.csv', 'Great.');
  await assertFails(2, 'SettingsError', 'SETTING_CONFLICT', '--model model ', 'model', 'Great.');
  await assertFails(2, 'SettingsError', 'SETTING_INVALID', "--precision is 'int4'", '--precision', 'int4', 'Great.');
  fs.rmSync(inFolder('runs'), { recursive: true });
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
