// `tunebook inspect` on files with planted problems, on texts without labels, and with a fine-tuned model.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Field, Int64, Struct, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Inspection } from '#lib/runs/inspection.js';
import { starsFlags, tunebook, writeStarsCsv, writeTinyModel } from '../cli/command.js';
import { assertFailed } from '../failure.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-inspect-'));
after(() => fs.rmSync(folder, { recursive: true }));
const inFolder = (...names: string[]) => path.join(folder, ...names);

const nouns = ['kettle', 'lamp', 'radio', 'jacket', 'novel', 'camera', 'chair', 'phone', 'printer', 'mirror', 'clock'];
const praise = ['wonderful', 'excellent', 'perfect', 'lovely', 'brilliant', 'reliable'];
const blame = ['terrible', 'broken', 'useless', 'awful', 'noisy', 'disappointing'];

/** A review of about 20 words that has few words in common with the others. */
function reviewText(i: number, label: number): string {
  const words = label === 1 ? praise : blame;
  const pick = (list: string[], step: number) => list[(i * step + Math.floor(i / list.length)) % list.length]!;
  const [a, b] = [pick(nouns, 3), pick(nouns, 5)];
  return `The ${a} of shop ${i} is ${pick(words, 1)} and day ${i * 7} with my ${b} was ${pick(words, 5)} in town ${i * 13}.`;
}

/** Runs inspect in the folder and returns the result as JSON. */
async function inspect(...argv: string[]): Promise<Inspection & { findings: string[]; page: string }> {
  const { status, stdout, stderr } = await tunebook(['inspect', ...argv, '--source', 'embedded', '--json'], {
    cwd: folder,
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Inspection & { findings: string[]; page: string };
}

test('planted problems are reported in the terminal, as JSON, and as a page', async () => {
  fs.mkdirSync(inFolder('planted'));
  const row = (i: number) => ({ text: reviewText(i, i % 2), label: i % 2, helpful: i % 2 === 1 ? 'yes' : 'no', id: i });
  const train = Array.from({ length: 200 }, (_, i) => row(i));
  const testRows = Array.from({ length: 60 }, (_, i) => row(i + 200));
  // Flipped labels; rows that are also in test; near-duplicates in test; copies with both labels; a long and a damaged text.
  for (const i of [10, 11, 50]) train[i]!.label = 1 - train[i]!.label;
  testRows.push(train[20]!, train[21]!);
  testRows.push({ ...train[30]!, text: train[30]!.text.replace(/in town \d+/, 'in our town') });
  train.push({ ...train[40]!, label: 1 - train[40]!.label });
  train.push({ ...row(300), text: `${row(300).text} ${'It works as it should. '.repeat(40)}caf\uFFFD` });
  const write = (name: string, rows: object[]) =>
    fs.writeFileSync(inFolder('planted', name), rows.map((each) => `${JSON.stringify(each)}\n`).join(''));
  write('train.jsonl', train);
  write('test.jsonl', testRows);

  const found = await inspect('planted', '--out', 'report.html');
  assert.deepEqual([found.reviews, found.splits], [265, { train: 202, test: 63 }]);
  assert.deepEqual([found.duplicates.copies, found.duplicates.conflicting], [3, 1]);
  assert.deepEqual(found.duplicates.acrossSplits, [{ split: 'train', other: 'test', rows: 2 }]);
  assert.ok(found.nearDuplicates!.examples.some(({ review }) => review.text.endsWith('in our town.')));
  assert.deepEqual(
    found.damage.map(({ damage, texts }) => [damage.slice(0, 11), texts]),
    [['replacement', 1]],
  );
  assert.equal(found.lengths.truncation.truncated, 1);
  assert.equal(found.vocabulary.fits, true);
  assert.deepEqual(
    found.leakingColumns.map(({ column }) => column),
    ['helpful'],
  );
  const errors = found.labelErrors[0]!.examples.map(({ review }) => review);
  for (const i of [10, 11, 50]) assert.ok(errors.includes(train[i]!.text), `${i}: ${errors.join('\n')}`);
  assert.deepEqual(found.skipped, []);
  const page = fs.readFileSync(inFolder('report.html'), 'utf8');
  assert.equal(page.match(/<img /g)?.length, 3);
  assert.ok(!page.includes('<script'));

  const { stdout } = await tunebook(['inspect', 'planted', '--source', 'embedded'], { cwd: folder });
  for (const part of [
    "'helpful' gives the label away",
    '2 train rows have a text that is also in test',
    'NEAR-DUPLICATES',
  ])
    assert.ok(stdout.replace(/\s+/g, ' ').includes(part), stdout);
  assert.ok(
    stdout.split('\n').every(({ length }) => length <= 100),
    stdout,
  );
  assert.ok(fs.existsSync(inFolder('runs/inspect-planted.html')));
});

test('German texts get the hint, texts without labels are inspected as far as possible', async () => {
  const german = [
    'Das Gerät ist leider schon nach zwei Wochen kaputt gegangen',
    'Sehr schöne Verarbeitung, ich bin begeistert',
  ];
  fs.writeFileSync(
    inFolder('german.csv'),
    `text\n${Array.from({ length: 60 }, (_, i) => `"${german[i % 2]}, Bestellung ${i}"`).join('\n')}\n`,
  );
  const { findings, skipped, labelColumn, classes, labelErrors } = await inspect('german.csv');
  assert.match(findings[0]!, /cannot be used for fine-tuning\..*german\.csv has no column 'label'/);
  assert.match(findings[1]!, /--model distilbert-base-multilingual-cased/);
  assert.deepEqual([labelColumn, classes, labelErrors], [null, [], []]);
  assert.match(skipped.join(), /no label column/);

  fs.writeFileSync(
    inFolder('latin.txt'),
    Buffer.from('4|Schöne Tage in München\n1|Müde Kellner, kalte Suppe\n1\n', 'latin1'),
  );
  const reading = ['--encoding', 'windows-1252', '--delimiter', '|', '--no-header', '--columns', 'stars,text'];
  const named = await inspect('latin.txt', ...reading, '--skip-bad-rows');
  assert.deepEqual(
    [named.labelColumn, named.textColumns, named.reviews, named.dropped.malformed],
    ['stars', ['text'], 2, 1],
  );
});

test('the model of a run judges only rows that it was not trained on; a file with one class is no error', async () => {
  writeTinyModel(inFolder('model'));
  writeStarsCsv(inFolder('stars.csv'), 120);
  const dataset = starsFlags('stars.csv');
  const trained = await tunebook(
    ['finetune', '--model', 'model', ...dataset, '--fast-dev-run', '--run-folder', 'run'],
    { cwd: folder },
  );
  assert.equal(trained.status, 0, trained.stderr);
  const { labelErrors, rows } = {
    ...(await inspect(...dataset, '--model', 'run')),
    rows: JSON.parse(fs.readFileSync(inFolder('run/metrics.json'), 'utf8')) as { rows: { train: number } },
  };
  assert.equal(labelErrors.length, 2);
  // 96 of the 120 reviews are not neutral.
  assert.equal(labelErrors[1]!.reviews, 96 - rows.rows.train);
  const other = await inspect('german.csv', '--model', 'run');
  assert.equal(other.labelErrors.length, 0);
  // Without flags, the text columns are those of the run.
  const mapping = dataset.slice(dataset.indexOf('--label-column'));
  const sameColumns = await inspect('stars.csv', ...mapping, '--model', 'run');
  assert.equal(sameColumns.labelErrors[1]!.reviews, 96 - rows.rows.train);
  const pairs = ['--text-columns', 'title', '--text-pair-column', 'content', ...mapping];
  const asPairs = await inspect('stars.csv', ...pairs, '--model', 'run');
  assert.match(asPairs.skipped.join(), /was trained on single texts, and these are pairs/);

  fs.writeFileSync(
    inFolder('one.csv'),
    `text,label\n${Array.from({ length: 40 }, (_, i) => `fine item ${i},good`).join('\n')}\n`,
  );
  const one = await inspect('one.csv');
  assert.match(one.findings[0]!, /All 40 rows have the class good; training needs two classes/);
  assert.match(one.skipped.join(), /cannot be split/);
  assert.match(one.skipped.join(), /There is one class/);
  fs.writeFileSync(inFolder('single.csv'), 'text,label\nfine item,good\n');
  assert.match((await inspect('single.csv')).findings[0]!, /The only row has the class good/);
  fs.writeFileSync(inFolder('texts.txt'), 'fine item\n');
  assert.match(
    (await inspect('texts.txt')).findings[1]!,
    /^The reviews cannot be used for training\. 1 different text among 1 row /,
  );
});

test('a folder is read as by finetune: an unlabeled test file is skipped, and the labels are inspected', async () => {
  fs.mkdirSync(inFolder('splits'));
  const rows = Array.from({ length: 40 }, (_, i) => reviewText(i, i % 2));
  fs.writeFileSync(inFolder('splits/train.csv'), `text,label\n${rows.map((text, i) => `${text},${i % 2}\n`).join('')}`);
  fs.writeFileSync(inFolder('splits/test.csv'), `text\n${rows.map((text) => `${text}\n`).join('')}`);
  const { reviews, labelColumn, read } = await inspect('splits');
  assert.deepEqual([reviews, labelColumn], [40, 'label']);
  assert.match(read.join(' '), /Skipped: \S+test\.csv \(it has no column 'label'\)/);
});

test('what was read is in the terminal, in the page and in the JSON', async () => {
  const rows = Array.from({ length: 20 }, (_, i) => `Caf\xe9 ${i};${i % 2}\n`).join('');
  fs.writeFileSync(inFolder('western.csv'), `Words;label\n${rows}`, 'latin1');
  const sentence = /Read as delimited text \(semicolon, windows-1252\); text: 'Words'; label: 'label'\./;
  const flags = ['western.csv', '--text-columns', 'words'];
  const { read, page } = await inspect(...flags);
  assert.match(read.join(' '), sentence);
  assert.match(fs.readFileSync(inFolder(page), 'utf8').replaceAll('&#39;', "'"), sentence);
  const { stdout } = await tunebook(['inspect', ...flags, '--source', 'embedded'], { cwd: folder });
  assert.match(stdout.replace(/\s+/g, ' '), sentence);
});

test('columns with structs and lists of large integers are examined', async () => {
  const label = (i: number) => (i % 2 ? 'good' : 'bad');
  const indices = Array.from({ length: 40 }, (_, i) => i);
  const table = new Table({
    text: vectorFromArray(indices.map((i) => reviewText(i, i % 2))),
    label: vectorFromArray(indices.map(label)),
    meta: vectorFromArray(
      indices.map((i) => ({ id: BigInt(i % 2) })),
      new Struct([new Field('id', new Int64())]),
    ),
  });
  fs.writeFileSync(inFolder('struct.arrow'), tableToIPC(table, 'stream'));
  const schema: SchemaElement[] = [
    { name: 'root', num_children: 3 },
    { name: 'text', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    { name: 'label', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    { name: 'helpful', converted_type: 'LIST', num_children: 1, repetition_type: 'REQUIRED' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'INT64', repetition_type: 'REQUIRED' },
  ];
  const columnData = [
    { name: 'text', data: indices.map((i) => reviewText(i, i % 2)) },
    { name: 'label', data: indices.map(label) },
    { name: 'helpful', data: indices.map((i) => [BigInt(i % 2), 1n]) },
  ];
  fs.writeFileSync(inFolder('list.parquet'), Buffer.from(parquetWriteBuffer({ columnData, schema })));
  for (const [file, column] of [
    ['struct.arrow', 'meta'],
    ['list.parquet', 'helpful'],
  ] as const)
    assert.deepEqual(
      (await inspect(file)).leakingColumns.map((each) => each.column),
      [column],
    );
});

test('a missing file and an unknown column are errors before a page is written', async () => {
  assertFailed(
    await tunebook(['inspect', 'missing.csv', '--source', 'embedded'], { cwd: folder }),
    2,
    'FileError',
    'FILE_NOT_FOUND',
    'missing.csv',
  );
  const wrong = await tunebook(['inspect', 'german.csv', '--source', 'embedded', '--label-column', 'stars'], {
    cwd: folder,
  });
  assertFailed(wrong, 3, 'ReviewsError', 'REVIEWS_NO_COLUMN', 'stars');
});
