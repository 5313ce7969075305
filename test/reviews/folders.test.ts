// Folders: which files are read, which names are splits rather than classes, and what is skipped with a reason.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { FileError, ReviewsError } from '#lib/errors.js';
import { splitOfPath } from '#lib/hub/dataset.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { fixtures } from '../checkout.js';
import { failure } from '../failure.js';
import { readFile, writeFolder } from './files.js';

const table = 'text,label\ngood,positive\nbad,negative\n';

test('a pipe, of which a second read would miss the beginning, is an error', async () => {
  const pipe = path.join(writeFolder({ 'a.csv': table }), 'pipe.csv');
  execFileSync('mkfifo', [pipe]);
  await assert.rejects(openReviews(pipe), failure(FileError, 'FILE_UNUSABLE', { path: pipe }));
});

test('folders named after splits are no classes: their files are read by their content', async () => {
  const lines = (...rows: string[]) => `${rows.join('\n')}\n`;
  const fast = await readFile(
    writeFolder({
      'train/train.txt': lines('__label__a good', '__label__b bad'),
      'test/test.txt': lines('__label__a fine'),
    }),
  );
  assert.deepEqual(
    [fast.reviews, fast.splits],
    [
      ['good|a', 'bad|b', 'fine|a'],
      ['train', 'train', 'test'],
    ],
  );
  const tabs = lines('It broke at once\tneg', 'I love this one\tpos', 'Never buy it again\tneg', 'All is fine\tpos');
  const tables = await readFile(writeFolder({ 'training_set/data.txt': tabs, 'dev/data.txt': tabs }));
  assert.deepEqual([tables.reviews.length, tables.source.labelNames], [8, ['neg', 'pos']]);
  assert.deepEqual(tables.splits.slice(3, 5), ['train', 'validation']);
  // As aclImdb without its folders of classes.
  await assert.rejects(
    readFile(writeFolder({ 'train/0_9.txt': 'good', 'train/1_1.txt': 'bad', 'test/0_9.txt': 'fine' })),
    failure(ReviewsError, 'REVIEWS_NO_LABEL_COLUMN'),
  );
  // Unlabeled texts beside the classes.
  const mixed = await readFile(writeFolder({ 'pos/1.txt': 'good', 'neg/1.txt': 'bad', 'test/1.txt': 'unknown' }));
  assert.deepEqual(mixed.reviews, ['bad|neg', 'good|pos']);
  assert.deepEqual(mixed.skipped, ['test/1.txt: the reviews are in the folders of the classes']);
});

test('other files in the folder of a class are skipped with a reason', async () => {
  const { reviews, skipped } = await readFile(
    writeFolder({
      'pos/1.txt': 'good',
      'pos/2.txt': 'fine',
      'pos/README.md': '# About',
      'neg/1.txt': 'bad',
      'neg/2.txt': 'poor',
      'neg/README': 'About',
    }),
  );
  assert.deepEqual(reviews, ['bad|neg', 'poor|neg', 'good|pos', 'fine|pos']);
  assert.deepEqual(skipped, ['neg/README: it is no text of a class', 'pos/README.md: it is no text of a class']);
  // Folders of tables with a text beside them are no classes.
  const tables = await readFile(
    writeFolder({ 'a/a.csv': table, 'a/LIESMICH.txt': 'About', 'b/b.csv': table, 'b/LIESMICH.txt': 'About' }),
  );
  assert.deepEqual(tables.source.labelNames, ['negative', 'positive']);
});

test('words of splits in the names of files', () => {
  for (const [file, split] of [
    ['training.1600000.processed.csv', 'train'],
    ['testdata.manual.2009.06.14.csv', 'test'],
    ['development.csv', 'validation'],
    ['eval/data.csv', 'test'],
    ['evaluation.csv', 'test'],
    ['contest_data.csv', undefined],
    ['latest.csv', undefined],
    ['dataset.csv', undefined],
  ] as const)
    assert.equal(splitOfPath(file), split, file);
});

test('of a folder of save_to_disk, the files that state.json lists are read, without the caches of map', async () => {
  const saved = writeFolder({});
  fs.cpSync(path.join(fixtures, 'formats/saved-dict/train'), saved, { recursive: true });
  const [file] = fs.readdirSync(saved).filter((name) => name.endsWith('.arrow'));
  fs.copyFileSync(path.join(saved, file!), path.join(saved, 'cache-1a2b3c4d5e6f7a8b.arrow'));
  const { reviews, skipped } = await readFile(saved);
  assert.equal(new Set(reviews).size, reviews.length);
  assert.deepEqual(skipped, ['cache-1a2b3c4d5e6f7a8b.arrow: state.json does not list it: a cache of datasets']);
});

test('valid and invalid are classes, although valid is the name of a split too', async () => {
  const { reviews } = await readFile(writeFolder({ 'valid/1.txt': 'good', 'invalid/1.txt': 'bad' }));
  assert.deepEqual(reviews, ['bad|invalid', 'good|valid']);
});

test('a state.json that lists other files is ignored', async () => {
  const arrow = fs.readFileSync(path.join(fixtures, 'formats/stream.arrow'));
  for (const state of ['{"_data_files": []}', '{"_data_files": [{"filename": "other.arrow"}]}'])
    assert.equal((await readFile(writeFolder({ 'data.arrow': arrow, 'state.json': state }))).reviews.length, 40);
});

test('a file and its compressed form are read once', async () => {
  const { reviews, skipped } = await readFile(
    writeFolder({
      'train.csv': table,
      'train.csv.gz': zlib.gzipSync(table),
      'train.csv.zip': 'not read',
      'test.csv.gz': zlib.gzipSync(table),
    }),
  );
  assert.equal(reviews.length, 4);
  assert.deepEqual(skipped, [
    'train.csv.gz: it is train.csv, compressed',
    'train.csv.zip: it is train.csv, compressed',
  ]);
});
