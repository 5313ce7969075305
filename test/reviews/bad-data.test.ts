// Malformed data: each problem is either corrected and counted, or an error before any work.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { ReviewsError } from '#lib/errors.js';
import { openBytes } from '#lib/reviews/formats/bytes.js';
import { describeDropped } from '#lib/reviews/review.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import type { ReviewsOptions } from '#lib/reviews/reviews-options.js';
import { splitReviews } from '#lib/reviews/split.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { nothingDropped } from '#lib/reviews/review.js';
import { failure } from '../failure.js';
import { embeddedModel } from '../checkout.js';
import { polarityParquet } from '../hub/repositories.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));
let count = 0;
const write = (extension: string, content: string | Buffer) => {
  const file = path.join(folder, `${count++}.${extension}`);
  fs.writeFileSync(file, content);
  return file;
};
const lines = (...rows: object[]) => write('jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
async function read(file: string, options: ReviewsOptions = {}) {
  const source = await openReviews(file, options);
  const reviews = (await sampleReviews(source)).map(({ text, label }) => ({ text, label }));
  return { reviews, source };
}

test('rows with null, empty or blank text or without a label are dropped and counted', async () => {
  const { reviews, source } = await read(
    lines(
      { text: null, label: 1 },
      { text: '', label: 1 },
      { text: ' \t\n ', label: 0 },
      { label: 0 },
      { text: 'without a label', label: null },
      { text: 'N/A', label: 1 },
      { text: 12, label: 1 },
      { text: '  good ', label: 1 },
      { text: 'bad', label: 0 },
    ),
  );
  // JSON has null for missing values.
  assert.deepEqual(reviews, [
    { text: 'N/A', label: 1 },
    { text: '12', label: 1 },
    { text: 'good', label: 1 },
    { text: 'bad', label: 0 },
  ]);
  assert.equal(describeDropped(source.dropped), '4 without text, 1 without a label');
});

test('texts of 1 MB are tokenized quickly, with the same tokens', () => {
  const tokenizer = loadTokenizer(embeddedModel);
  const words = 'great product but the battery died '.repeat(30_000);
  const started = performance.now();
  for (const text of [
    words,
    words.replaceAll(' ', '\n'),
    'x'.repeat(1e6),
    ' '.repeat(1e6),
    `${' '.repeat(5e5)}good ${words}`,
  ]) {
    const ids = tokenizer.encode(text, 128);
    assert.ok(ids.length <= 128 && ids[0] === 101 && ids.at(-1) === 102);
  }
  assert.deepEqual(tokenizer.encode(words, 128), tokenizer.encode(words.slice(0, 4000), 128));
  assert.deepEqual([...tokenizer.encode(`${' '.repeat(5e5)}good`, 128)].length, 3);
  assert.ok(performance.now() - started < 20_000);
});

test('rows of 1 MB are read in chunks of a few rows', async () => {
  const rows = Array.from({ length: 60 }, (_, i) => ({ text: `${i} ${'word '.repeat(200_000)}`, label: i % 2 }));
  const { reviews, source } = await read(lines(...rows));
  assert.equal(source.splits.train![0]!.chunks.length, 4);
  assert.deepEqual(
    reviews.map(({ text }) => Number(/^\d+/.exec(text)![0])),
    rows.map((_, i) => i),
  );
});

test('emoji, all scripts and lone surrogates can be read and tokenized', async () => {
  const texts = [
    '😀👩‍👩‍👧',
    'Ωραίο',
    'отлично',
    'ممتاز',
    '很好',
    'बढ़िया',
    'x\u0000y',
    '\u200bhidden',
    'e\u0301',
    'half \ud83d here',
  ];
  const { reviews } = await read(lines(...texts.map((text, i) => ({ text, label: i % 2 }))));
  assert.equal(reviews.length, texts.length);
  assert.equal(reviews.at(-1)!.text, 'half \ufffd here');
  const tokenizer = loadTokenizer(embeddedModel);
  const ids = reviews.map(({ text }) => tokenizer.encode(text, 32));
  assert.ok(ids.every((text) => text.length >= 2 && text.every((id) => id >= 0 && id < 30522)));
});

test('CSV: quotes, quoted newlines, a byte order mark and CRLF, also across chunks', async () => {
  const rows = Array.from({ length: 2500 }, (_, i) => `"say ""${i}""\nsecond, line é",${i % 2}`);
  const file = write('csv', `\ufefftext,label\r\n${rows.join('\r\n')}\r\n`);
  const { reviews, source } = await read(file);
  assert.equal(source.splits.train![0]!.chunks.length, 3);
  assert.deepEqual(reviews[2499], { text: 'say "2499"\nsecond, line é', label: 1 });
  assert.deepEqual(
    reviews.map(({ text }) => Number(/\d+/.exec(text)![0])),
    rows.map((_, i) => i),
  );
  await assert.rejects(
    read(write('csv', 'text,label\na,1\nb\n')),
    failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 3 }),
  );
});

test('JSON lines in chunks, with a byte order mark, blank lines, and no final newline', async () => {
  const rows = Array.from(
    { length: 2100 },
    (_, i) => `${JSON.stringify({ text: `é ${i}`, label: i % 2 })}\n${i % 500 ? '' : '\n'}`,
  );
  const { reviews } = await read(write('jsonl', `\ufeff${rows.join('').trimEnd()}`));
  assert.deepEqual(
    reviews.map(({ text }) => text),
    rows.map((_, i) => `é ${i}`),
  );
});

const parquet = () =>
  Buffer.from(
    parquetWriteBuffer({
      columnData: [
        { name: 'text', data: Array.from({ length: 500 }, (_, i) => `text ${i}`), type: 'STRING' },
        { name: 'label', data: Array.from({ length: 500 }, (_, i) => i % 2), type: 'INT32' },
      ],
      rowGroupSize: 100,
    }),
  );

test('a truncated Parquet file and one with damaged pages are errors', async () => {
  const valid = parquet();
  assert.equal((await read(write('parquet', valid))).reviews.length, 500);
  for (const length of [3, 100, valid.length - 1, valid.length - 300])
    await assert.rejects(read(write('parquet', valid.subarray(0, length))), failure(ReviewsError, 'REVIEWS_MALFORMED'));
  const broken = Buffer.from(valid);
  broken.fill(255, 4, 200);
  await assert.rejects(read(write('parquet', broken)), failure(ReviewsError, 'REVIEWS_MALFORMED'));
});

test('a mistyped label is an error; a mapping drops it and maps stars to classes', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({ text: `text ${i}`, label: i % 2 }));
  const file = lines(...rows, { text: 'slip', label: 7 });
  const source = await openReviews(file);
  const reviews = await sampleReviews(source);
  assert.throws(
    () => splitReviews(reviews, source),
    failure(ReviewsError, 'REVIEWS_SMALL_CLASS', { label: '7', texts: 1, rows: 41 }),
  );
  const mapped = await read(file, { labelMapping: '0 -> negative; 1 -> positive' });
  assert.deepEqual([mapped.reviews.length, mapped.source.dropped.unmappedLabel], [40, 1]);
  const stars = await read(lines(...[1, 2, 3, 4, 5].map((rating) => ({ text: `${rating} stars`, rating }))), {
    labelMapping: '1,2 -> negative; 4,5 -> positive',
  });
  assert.deepEqual(stars.source.labelNames, ['negative', 'positive']);
  assert.deepEqual(
    stars.reviews.map(({ text, label }) => `${text} ${label}`),
    ['1 stars 0', '2 stars 0', '4 stars 1', '5 stars 1'],
  );
  for (const [mapping, values] of [
    ['1,2', { part: '1,2' }],
    ['1 -> a', { classes: ['a'] }],
    ['1 -> a; 1 -> b', { label: '1' }],
  ] as const)
    await assert.rejects(
      read(file, { labelMapping: mapping }),
      failure(ReviewsError, 'LABEL_MAPPING_INVALID', { mapping, ...values }),
    );
  await assert.rejects(
    read(lines(...Array.from({ length: 150 }, (_, i) => ({ text: 'x', label: `id ${i}` })))),
    failure(ReviewsError, 'REVIEWS_TOO_MANY_CLASSES', { column: 'label', classes: 150 }),
  );
});

test('-1 is an ordinary label, except in a data set with class names, where it marks hidden labels', async () => {
  const rows = [-1, 0, 1].map((label) => ({ text: `felt ${label}`, label }));
  const inferred = await read(lines(...rows));
  assert.deepEqual(inferred.source.labelNames, ['-1', '0', '1']);
  assert.deepEqual(
    inferred.reviews.map(({ label }) => label),
    [0, 1, 2],
  );
  const mapped = await read(lines(...rows), { labelMapping: '-1 -> negative; 1 -> positive' });
  assert.deepEqual(mapped.reviews, [
    { text: 'felt -1', label: 0 },
    { text: 'felt 1', label: 1 },
  ]);
  const named = await read(
    write('parquet', polarityParquet(rows.map(({ text, label }) => ({ title: '', content: text, label })))),
  );
  assert.deepEqual(
    named.reviews.map(({ text }) => text),
    ['felt 0', 'felt 1'],
  );
  assert.equal(named.source.dropped.missingLabel, 1);
});

test('a subfolder whose name ends in .csv is read as a folder; reading it as a CSV file is an error', async () => {
  const spark = path.join(folder, 'spark');
  fs.mkdirSync(path.join(spark, 'out.csv'), { recursive: true });
  fs.writeFileSync(path.join(spark, 'out.csv/part-0000.csv'), 'text,label\na,1\nb,0\n');
  assert.equal((await read(spark)).reviews.length, 2);
  await assert.rejects(
    openBytes('x.csv', path.join(spark, 'out.csv')),
    failure(ReviewsError, 'REVIEWS_UNREADABLE', { file: 'x.csv', systemCode: 'EISDIR' }),
  );
});

test('a single class, identical rows, and no rows are errors', async () => {
  const sample = async (file: string) => sampleReviews(await openReviews(file));
  assert.throws(
    () =>
      splitReviews(
        Array.from({ length: 9 }, (_, i) => ({ text: `t ${i}`, label: 0 })),
        { labelNames: ['bad'] },
      ),
    failure(ReviewsError, 'REVIEWS_ONE_CLASS', { rows: 9, label: 'bad' }),
  );
  const identical = lines(...Array.from({ length: 50 }, (_, i) => ({ text: 'The same.', label: i % 2 })));
  await assert.rejects(
    async () => splitReviews(await sample(identical)),
    failure(ReviewsError, 'REVIEWS_ONE_CLASS', { rows: 50 }),
  );
  await assert.rejects(sample(write('csv', 'text,label\n')), failure(ReviewsError, 'REVIEWS_NO_ROWS'));
  await assert.rejects(sample(write('jsonl', '')), failure(ReviewsError, 'REVIEWS_NO_ROWS'));
  await assert.rejects(
    sample(lines({ text: ' ', label: 1 }, { text: 'x', label: null })),
    failure(ReviewsError, 'REVIEWS_NO_ROWS', { dropped: { ...nothingDropped(), emptyText: 1, missingLabel: 1 } }),
  );
  const pairs = { textColumns: ['text'], textPairColumn: 'answer' };
  await assert.rejects(
    openReviews(lines({ text: 'a', answer: '', label: 1 }, { text: 'b', answer: '', label: 2 }), pairs).then((source) =>
      sampleReviews(source),
    ),
    failure(ReviewsError, 'REVIEWS_NO_ROWS', { textColumns: ['text', 'answer'] }),
  );
});

test('the error for a missing column lists the existing ones; common names are recognized', async () => {
  const file = lines({ headline: 'a', article: 'b', verdict: 1 });
  await assert.rejects(
    read(file),
    failure(ReviewsError, 'REVIEWS_NO_TEXT_COLUMN', { columns: ['headline', 'article', 'verdict'] }),
  );
  await assert.rejects(read(file, { textColumns: ['article'] }), failure(ReviewsError, 'REVIEWS_NO_LABEL_COLUMN'));
  await assert.rejects(
    read(file, { textColumns: ['articel'], labelColumn: 'verdict' }),
    failure(ReviewsError, 'REVIEWS_NO_COLUMN', { column: 'articel', columns: ['headline', 'article', 'verdict'] }),
  );
  const { reviews, source } = await read(
    lines({ title: 'a', content: 'b', stars: 5 }, { title: 'c', content: 'd', stars: 1 }),
  );
  assert.deepEqual(
    reviews.map(({ text }) => text),
    ['a. b', 'c. d'],
  );
  assert.deepEqual(source.labelNames, ['1', '5']);
});
