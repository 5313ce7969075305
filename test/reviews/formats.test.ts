// Every format of files in the shapes of public data sets, with the texts and labels that must be read.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { ReviewsError } from '#lib/errors.js';
import { fixtures } from '../checkout.js';
import { failure } from '../failure.js';
import { readFile, readText, writeFolder } from './files.js';

const folder = path.join(fixtures, 'formats');
const truth = (
  JSON.parse(fs.readFileSync(path.join(folder, 'reviews.json'), 'utf8')) as { text: string; label: string }[]
).map(({ text, label }) => `${text}|${label}`);
const named = (reviews: string[]) =>
  reviews.map((each) => each.replace(/\|1$/, '|negative').replace(/\|5$/, '|positive'));

test('files that pandas, pyarrow, openpyxl and datasets write have the reviews they were written from', async () => {
  for (const [name, format] of Object.entries({
    'pandas-records.json': 'JSON array',
    'pandas-columns.json': 'JSON table',
    'pandas-index.json': 'JSON table',
    'pandas-split.json': 'JSON table',
    'pandas-table.json': 'JSON table',
    'pandas-lines.jsonl': 'JSON lines',
    'reviews.csv.gz': 'delimited text',
    'reviews.csv.bz2': 'delimited text',
    'reviews.csv.zst': 'delimited text',
    'reviews.csv.zip': 'delimited text',
    'reviews.xlsx': "Excel, sheet 'Reviews'",
    'stream.arrow': 'Arrow',
    'lz4.feather': 'Arrow',
    'zstd.feather': 'Arrow',
    'uncompressed.feather': 'Arrow',
    'reviews.parquet': 'Parquet',
  })) {
    const { reviews, description } = await readFile(path.join(folder, name));
    assert.deepEqual(named(reviews), truth, name);
    assert.equal(description.format, format);
    assert.equal(
      description.compression,
      { gz: 'gzip', bz2: 'bzip2', zst: 'zstd', zip: 'zip' }[name.split('.')[2] ?? ''],
    );
  }
});

test('LZ4 blocks that refer to earlier ones are read', async () => {
  const { reviews } = await readFile(path.join(folder, 'long-lz4.feather'));
  assert.equal(reviews.length, 3000);
  const [first, last] = truth
    .map((each) => each.replace(/^<\d+> |, number .*/gs, ''))
    .filter((_, i) => i === 0 || i === 7);
  assert.equal(reviews[0], `<0> ${first} 0 </0>|negative`);
  assert.equal(reviews[2999], `<2999> ${last} ${(2999 * 7919) % 100_003} </2999>|positive`);
});

test('the folder of save_to_disk: its splits by folder, and the names of its classes', async () => {
  const { reviews, splits, source } = await readFile(path.join(folder, 'saved-dict'));
  assert.deepEqual(reviews, truth);
  assert.deepEqual(
    splits,
    truth.map((_, i) => (i < 30 ? 'train' : 'test')),
  );
  assert.deepEqual(source.labelNames, ['negative', 'positive']);
});

test('an archive of several files, arrays of arrays, web pages and old Excel files are errors that say so', async () => {
  await assert.rejects(
    readFile(path.join(folder, 'two-files.zip')),
    failure(ReviewsError, 'REVIEWS_ARCHIVE_UNSUPPORTED', { files: 2 }),
  );
  await assert.rejects(readFile(path.join(folder, 'pandas-values.json')), failure(ReviewsError, 'REVIEWS_NO_TABLE'));
  await assert.rejects(readText('a.json', '{"learning_rate": 0.1}'), failure(ReviewsError, 'REVIEWS_NO_TEXT_COLUMN'));
  for (const [name, content] of [
    ['a.csv', '<!DOCTYPE html><html><body>Please log in</body></html>'],
    ['a.xls', Buffer.from(`d0cf11e0a1b11ae1${'00'.repeat(600)}`, 'hex')],
    ['a.csv', '%PDF-1.4'],
    ['a.csv', 'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n'],
    ['a.csv', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')],
  ] as const)
    await assert.rejects(readText(name, content), failure(ReviewsError, 'REVIEWS_FORMAT_UNKNOWN'));
});

test('damage that only a checksum shows is an error', async () => {
  for (const [name, at] of [
    ['reviews.csv.zst', 300],
    ['reviews.csv.zip', 300],
    ['reviews.csv.bz2', 300],
    ['reviews.csv.gz', 300],
    ['reviews.xlsx', 3000],
  ] as const) {
    const bytes = fs.readFileSync(path.join(folder, name));
    bytes[at]! ^= 1;
    await assert.rejects(readText(name, bytes), failure(ReviewsError, 'REVIEWS_DAMAGED'), name);
    await assert.rejects(readText(name, bytes.subarray(0, -20)), failure(ReviewsError, 'REVIEWS_DAMAGED'), name);
  }
});

test('fastText: labels and texts; a label within a text is the next row without its newline', async () => {
  const { reviews, columns } = await readText(
    'train.ft.txt',
    '__label__2 Great: buy it\n\n__label__1 Bad: "no", never\n',
  );
  assert.deepEqual(reviews, ['Great: buy it|2', 'Bad: "no", never|1']);
  assert.deepEqual(columns, [['text'], 'label']);
  await assert.rejects(
    readText('a.txt', '__label__2 good __label__1 bad\n__label__1 x\n'),
    failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 1 }),
  );
  await assert.rejects(readText('a.txt', '__label__a __label__b x\n'), failure(ReviewsError, 'REVIEWS_MULTI_LABEL'));
});

test("Zhang et al.'s and Sentiment140's files without a header: columns by content", async () => {
  const zhang = await readText(
    'train.csv',
    Array.from(
      { length: 6 },
      (_, i) => `"${1 + (i % 2)}","A good title ${i}","My lovely Pat has one of the great voices\\n"\n`,
    ).join(''),
  );
  assert.deepEqual(zhang.columns, [['column 2', 'column 3'], 'column 1']);
  assert.equal(zhang.reviews[0], 'A good title 0. My lovely Pat has one of the great voices\\n|1');
  const row = (label: number, i: number) =>
    `"${label}","${1467810369 + i}","Mon Apr 06 22:19:${10 + i} PDT 2009","NO_QUERY","user${i}","is at the café again number ${i}"\n`;
  const tweets = await readText('a.csv', Buffer.from([0, 4, 0, 4, 4, 0].map(row).join(''), 'latin1'));
  assert.deepEqual(tweets.columns, [['column 6'], 'column 1']);
  assert.deepEqual([tweets.description.encoding, tweets.source.labelNames], ['windows-1252', ['0', '4']]);
  assert.equal(tweets.reviews[1], 'is at the café again number 1|4');
});

test("McAuley's JSON lines and Python dicts, with and without gzip; Amazon Reviews 2023; NaN as Python writes it", async () => {
  const python = `{'reviewerID': 'A1', 'helpful': [2, 3], 'reviewText': "It's \\"good\\"\\n\\xe9", u'overall': 5.0, 'summary': u'Fine', 'ok': True, 'x': None}\n`;
  for (const content of [python, zlib.gzipSync(python)])
    assert.deepEqual((await readText('reviews_Demo_5.json.gz', content)).reviews, ['Fine. It\'s "good"\né|5']);
  const json = JSON.stringify({ reviewText: 'good', overall: 5, summary: 'Fine', image: ['x'] });
  assert.deepEqual((await readText('a.json', `${json}\n`)).columns, [['summary', 'reviewText'], 'overall']);
  const row = JSON.stringify({ rating: 5, title: 'T', text: 'good', images: [], asin: 'B0', verified_purchase: true });
  assert.deepEqual((await readText('a.jsonl', `${row}\n`)).columns, [['title', 'text'], 'rating']);
  const { reviews, source } = await readText(
    'a.jsonl',
    '{"text": "is NaN, not", "label": 1}\n{"text": "x", "label": NaN}\n',
  );
  assert.deepEqual([reviews, source.dropped.missingLabel], [['is NaN, not|1'], 1]);
});

test('GLUE: tabs, and quotes that are letters; a test part without labels is skipped', async () => {
  const file = writeFolder({
    'train.tsv': 'sentence\tlabel\n" bare quote starts\t1\nit \'s "fine"\t0\n"a" quoted word\t1\n',
    'dev.tsv': 'sentence\tlabel\nnot "bad\t1\n',
    'test.tsv': 'index\tsentence\n0\tunknown\n',
  });
  const { reviews, splits, skipped } = await readFile(file);
  assert.deepEqual(reviews, [
    '" bare quote starts|positive',
    'it \'s "fine"|negative',
    '"a" quoted word|positive',
    'not "bad|positive',
  ]);
  assert.deepEqual(splits, ['train', 'train', 'train', 'validation']);
  assert.deepEqual(skipped, ["test.tsv: it has no column 'label'"]);
});

test('folders with a text per file: classes and splits by folder, unlabeled texts counted', async () => {
  const imdb = writeFolder({
    README: 'About',
    'imdb.vocab': 'the\n',
    'train/pos/0_9.txt': 'good',
    'train/neg/0_2.txt': 'bad\nreally',
    'train/unsup/0_0.txt': 'unknown',
    'train/urls_pos.txt': 'https://example.org/\n',
    'test/pos/0_9.txt': Buffer.from('caf\xe9', 'latin1'),
    'test/neg/0_2.txt': '',
  });
  const { reviews, splits, source, skipped } = await readFile(imdb);
  assert.deepEqual(reviews, ['bad\nreally|neg', 'good|pos', 'café|pos']);
  assert.deepEqual(splits, ['train', 'train', 'test']);
  assert.deepEqual([source.dropped.missingLabel, source.dropped.emptyText], [1, 1]);
  assert.deepEqual(skipped, ['train/urls_pos.txt: the reviews are in the folders of the classes']);
  // As the 20 newsgroups are.
  const news = await readFile(writeFolder({ 'sci.space/49960': 'orbit', 'alt.atheism/1': 'reason' }));
  assert.deepEqual(news.reviews, ['reason|alt.atheism', 'orbit|sci.space']);
});

test('unrelated files in a folder are skipped with a reason; broken data is an error', async () => {
  const table = 'text,label\ngood,1\nbad,0\n';
  const { reviews, skipped } = await readFile(
    writeFolder({
      'train.csv': 'id,text,target\n1,good,1\n2,bad,0\n',
      'test.csv': 'id,text\n3,unknown\n',
      'sample_submission.csv': 'id,target\n3,0\n',
      'README.txt': 'About.\nThese files.\n',
      'requirements.txt': 'pandas==3\n',
      'config.json': JSON.stringify({ seed: { a: 1 }, name: 'x' }, undefined, 2),
      'image.csv': Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
      '.hidden.csv': 'x"',
    }),
  );
  assert.deepEqual(reviews, ['good|positive', 'bad|negative']);
  assert.deepEqual(skipped.sort(), [
    "README.txt: it has no column 'text', 'target'",
    'config.json: it contains no table',
    'image.csv: it contains no table',
    "requirements.txt: it has no column 'text', 'target'",
    "sample_submission.csv: it has no column 'text'",
    "test.csv: it has no column 'target'",
  ]);
  // Scoring reads the table too, not the lines of the README.
  const unlabeled = await readFile(writeFolder({ 'a.csv': table, 'README.txt': 'About.\n' }), { labelsOptional: true });
  assert.deepEqual(unlabeled.reviews, ['good|positive', 'bad|negative']);
  await assert.rejects(
    readFile(writeFolder({ 'a.csv': table, 'b.csv.gz': zlib.gzipSync(table).subarray(0, 30) })),
    failure(ReviewsError, 'REVIEWS_DAMAGED'),
  );
  const linked = writeFolder({ 'a.csv': table });
  fs.symlinkSync('a.csv', path.join(linked, 'b.csv'));
  assert.equal((await readFile(linked)).reviews.length, 4);
  fs.symlinkSync('missing.csv', path.join(linked, 'c.csv'));
  await assert.rejects(readFile(linked), failure(ReviewsError, 'REVIEWS_UNREADABLE', { systemCode: 'ENOENT' }));
});

test('lone surrogates are replaced and counted', async () => {
  const { reviews, source } = await readText(
    'a.jsonl',
    '{"text": "half \\ud83d", "label": 1}\n{"text": "whole \\ud83d\\ude00", "label": 0}\n',
  );
  assert.deepEqual(reviews, ['half \ufffd|positive', 'whole 😀|negative']);
  assert.match(source.notes.join(' '), /1 text contains half of a character/);
});
