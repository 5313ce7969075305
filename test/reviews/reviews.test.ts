// Reading reviews from files, splitting and sampling them, and the baselines trained on them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { FileError, ReviewsError } from '#lib/errors.js';
import { danfo } from '#lib/reviews/danfo.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { nothingDropped, type Dropped, type Review } from '#lib/reviews/review.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import type { ReviewsOptions } from '#lib/reviews/reviews-options.js';
import { splitReviews } from '#lib/reviews/split.js';
import { reviewTable } from '#lib/reviews/table.js';
import { bagOfWordsBaseline, majorityBaseline } from '#lib/evaluation/baseline.js';
import { failure } from '../failure.js';
import { root } from '../checkout.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));
const dropped = (counts: Partial<Dropped>) => ({ ...nothingDropped(), ...counts });
const write = (name: string, content: string) => {
  fs.writeFileSync(path.join(folder, name), content);
  return path.join(folder, name);
};
const columns = { textColumns: ['title', 'content'], labelColumn: 'label' };
/** Reads all reviews of a file. */
async function readReviews(file: string, options: ReviewsOptions = columns) {
  const source = await openReviews(file, options);
  const reviews = await sampleReviews(source);
  return {
    reviews: reviews.map(({ text, label }) => ({ text, label })),
    labelNames: source.labelNames,
    dropped: source.dropped,
  };
}
const embedded = await sampleReviews(await embeddedReviews());

test("danfo's statistics and file readers work, and their dependencies are loaded on first use", async () => {
  const { cache } = createRequire(import.meta.url);
  const isLoaded = (pattern: RegExp) => Object.keys(cache).some((file) => pattern.test(file));
  const [mathjs, request] = [/mathjs.lib.cjs.entry/, /request.lib/];
  const words = reviewTable(
    ['one', 'one two', 'one two three'].map((text) => ({ text, label: 0 })),
    ['none'],
  ).column('words');
  assert.equal(words.mean(), 2);
  assert.deepEqual([isLoaded(mathjs), isLoaded(request)], [false, false]);
  assert.deepEqual([words.median(), words.std(), words.var()], [2, 1, 1]);
  assert.equal(isLoaded(mathjs), true);
  const server = http.createServer((_, response) => response.end('text,label\nGood,1\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const read = await danfo().readCSV(`http://127.0.0.1:${(server.address() as AddressInfo).port}/a.csv`);
  server.close();
  assert.deepEqual([read.values, isLoaded(request)], [[['Good', 1]], true]);
  const excel = path.join(folder, 'a.xlsx');
  danfo().toExcel(read, { filePath: excel });
  assert.deepEqual(((await danfo().readExcel(excel)) as typeof read).values, [['Good', 1]]);
});

test('2,985 of the 3,708 embedded reviews are used; the others are counted', async () => {
  assert.equal(embedded.length, 2985);
  assert.deepEqual((await embeddedReviews()).dropped, dropped({ belowThreshold: 723 }));
});

test('CSV with quotes and newlines, two text columns, empty texts and missing labels counted', async () => {
  const file = write(
    'a.csv',
    'title,content,label\n"Good, ""really""","line one\nline two",1\n,,0\nBad,awful,\nBad,awful,0\n',
  );
  const set = await readReviews(file, columns);
  assert.deepEqual(set.reviews, [
    { text: 'Good, "really". line one\nline two', label: 1 },
    { text: 'Bad. awful', label: 0 },
  ]);
  assert.deepEqual(set.labelNames, ['negative', 'positive']);
  assert.deepEqual(set.dropped, dropped({ emptyText: 1, missingLabel: 1 }));
});

test('JSON lines with named labels; the error for a malformed line contains its number', async () => {
  const rows = [
    { title: 'x', content: null, label: 'spam' },
    { content: 'y', label: 'ham' },
  ]
    .map((row) => JSON.stringify(row))
    .join('\n');
  const set = await readReviews(write('b.jsonl', rows), columns);
  assert.deepEqual(set.labelNames, ['ham', 'spam']);
  assert.deepEqual(set.reviews, [
    { text: 'x', label: 1 },
    { text: 'y', label: 0 },
  ]);
  await assert.rejects(
    readReviews(write('c.jsonl', `${rows}\n{"title":`), columns),
    failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 3 }),
  );
});

test('files that cannot be read are errors', async () => {
  await assert.rejects(
    readReviews(write('d.csv', 'text,stars\na,1\n'), columns),
    failure(ReviewsError, 'REVIEWS_NO_COLUMN', { column: 'title', columns: ['text', 'stars'] }),
  );
  await assert.rejects(
    readReviews(write('e.csv', 'title,content,label\n"open,1\n'), columns),
    failure(ReviewsError, 'REVIEWS_MALFORMED'),
  );
  await assert.rejects(
    readReviews(write('f.parquet', 'PAR1 but no more'), columns),
    failure(ReviewsError, 'REVIEWS_MALFORMED'),
  );
  await assert.rejects(
    readReviews(write('g.dat', '\u0000\u0001\u0002\u0003'), columns),
    failure(ReviewsError, 'REVIEWS_FORMAT_UNKNOWN', { extension: '.dat' }),
  );
  await assert.rejects(
    readReviews(write('i.jsonl', '[1]\n'), columns),
    failure(ReviewsError, 'REVIEWS_MALFORMED', { line: 1 }),
  );
  await assert.rejects(readReviews(write('j.jsonl', ''), columns), failure(ReviewsError, 'REVIEWS_NO_ROWS'));
  await assert.rejects(
    readReviews(write('k.csv', 'title,content,label\n,,1\na,b,\n'), columns),
    failure(ReviewsError, 'REVIEWS_NO_ROWS', { dropped: { ...nothingDropped(), emptyText: 1, missingLabel: 1 } }),
  );
  await assert.rejects(readReviews('nowhere.csv'), failure(FileError, 'FILE_NOT_FOUND', { path: 'nowhere.csv' }));
});

test('a label such as 1.0, as pandas writes it, equals the integer, in files and in mappings', async () => {
  const labelMapping = '1,2.0 -> negative; 4,5 -> positive';
  const set = await readReviews(write('floats.csv', 'text,stars\nbad,1.0\npoor,2\ngood,5.0\nnone,\nmiddle,3.0\n'), {
    labelColumn: 'stars',
    labelMapping,
  });
  assert.deepEqual(
    set.reviews.map(({ label }) => label),
    [0, 0, 1],
  );
  const unmapped = await readReviews(write('classes.csv', 'text,stars\nbad,1.0\ngood,10.0\n'), {
    labelColumn: 'stars',
  });
  assert.deepEqual(unmapped.labelNames, ['1', '10']);
});

test('a mapping that names no label of the column is rejected with the labels of the column', async () => {
  await assert.rejects(
    readReviews(write('words.csv', 'text,stars\na,five of five\nb,1.5 out of 5\n'), {
      labelColumn: 'stars',
      labelMapping: '1 -> negative; 5 -> positive',
    }),
    failure(ReviewsError, 'REVIEWS_NO_ROWS', {
      dropped: { ...nothingDropped(), unmappedLabel: 2 },
      labelColumn: 'stars',
      labels: ['1.5', 'five of five'],
      mapped: ['1', '5'],
    }),
  );
});

test('the split is stratified and seeded, and keeps duplicates of a text in one part', () => {
  const copies = [
    ...embedded,
    ...embedded.slice(0, 300).map(({ text, label }) => ({ text: `  ${text.toUpperCase()} `, label })),
  ];
  const partsOf = (options?: { seed: number }): Review[][] =>
    Object.values(splitReviews(copies, options)) as Review[][];
  const parts = partsOf();
  assert.equal(
    parts.reduce((sum, part) => sum + part.length, 0),
    copies.length,
  );
  const texts = parts.map((part) => new Set(part.map(({ text }) => text.toLowerCase().replace(/\s+/g, ' ').trim())));
  for (const text of texts[2]!) assert.ok(!texts[0]!.has(text) && !texts[1]!.has(text), text);
  const fraction = (part: Review[]) => part.filter(({ label }) => label === 1).length / part.length;
  for (const part of parts) assert.ok(Math.abs(fraction(part) - fraction(copies)) < 0.02);
  assert.deepEqual(partsOf(), parts);
  assert.notDeepEqual(partsOf({ seed: 1 })[2], parts[2]);
});

test('every split has a text of every class, also of small ones and of those with many copies', () => {
  const common = Array.from({ length: 60 }, (_, i) => ({ text: `common ${i}`, label: 0 }));
  for (const copies of [
    [1, 1, 1],
    [1, 1, 1, 1, 1, 1],
    [1, 1, 8],
    [9, 1, 1, 1],
  ])
    for (let seed = 0; seed < 40; seed++) {
      const rare = copies.flatMap((count, i) => Array.from({ length: count }, () => ({ text: `rare ${i}`, label: 1 })));
      const split = splitReviews([...common, ...rare], { seed });
      for (const [name, part] of Object.entries(split) as [string, Review[]][])
        assert.ok(
          part.some(({ label }) => label === 1),
          `${name}, seed ${seed}, copies ${copies.join()}`,
        );
    }
});

test('a single class and too few rows are errors', () => {
  const rows = (...labels: number[]) => labels.map((label, i) => ({ text: `text ${i}`, label }));
  assert.throws(
    () => splitReviews(rows(1, 1), { labelNames: ['negative', 'positive'] }),
    failure(ReviewsError, 'REVIEWS_ONE_CLASS', { label: 'positive', rows: 2 }),
  );
  assert.throws(() => splitReviews(rows(0, 1)), failure(ReviewsError, 'REVIEWS_SMALL_CLASS', { rows: 2, texts: 1 }));
});

test('a sample has the requested size and the class distribution of the data', async () => {
  const sampled = async (seed: number) => await sampleReviews(await embeddedReviews(), { rows: 301, seed });
  const fraction = (rows: { label: number }[]) => rows.filter(({ label }) => label === 1).length / rows.length;
  const sample = await sampled(7);
  assert.equal(sample.length, 301);
  assert.ok(Math.abs(fraction(sample) - fraction(embedded)) < 1 / 301);
  const texts = new Set(embedded.map(({ text }) => text));
  assert.ok(sample.every(({ text }) => texts.has(text)));
  assert.deepEqual(await sampled(7), sample);
  assert.notDeepEqual(await sampled(8), sample);
});

test('a danfo DataFrame of reviews has the expected columns and loads no second TensorFlow', () => {
  const reviews = [
    { text: 'two words', label: 1 },
    { text: 'one', label: 0 },
  ];
  const table = reviewTable(reviews, ['negative', 'positive']);
  assert.deepEqual(table.columns, ['text', 'label', 'class', 'words', 'split']);
  assert.deepEqual(table.column('words').values, [2, 1]);
  assert.deepEqual(table.column('class').values, ['positive', 'negative']);
  assert.deepEqual(
    [table.column('text').values, table.column('label').values],
    [
      ['two words', 'one'],
      [1, 0],
    ],
  );
  // danfo uses tfjs. With its own copy, a second native library would be mapped.
  assert.deepEqual(table.loc({ columns: ['words'] }).mean().values.length, 2);
  const mapped = fs
    .readFileSync('/proc/self/maps', 'utf8')
    .match(/\S+\/(libtensorflow_cc|libtensorflow)\.so\S*|\S+tfjs_binding\.node/g);
  assert.equal(new Set(mapped).size, 2, String([...new Set(mapped)]));
});

test('compressed Parquet written by pyarrow is read', async () => {
  const file = path.join(root, 'test/fixtures/reviews.parquet');
  const set = await readReviews(file, columns);
  assert.deepEqual(set.reviews, [
    { text: 'Café. naïve 😀', label: 1 },
    { text: 'only content', label: 0 },
    { text: 'Last. one', label: 1 },
  ]);
  assert.deepEqual(set.dropped, dropped({ emptyText: 1, missingLabel: 1 }));
});

test('numbers, booleans and stars are classes in their natural order', async () => {
  const readLabels = async (...labels: unknown[]) =>
    readReviews(
      write('h.jsonl', labels.map((label, i) => JSON.stringify({ title: `t${i}`, content: 'c', label })).join('\n')),
      columns,
    );
  assert.deepEqual((await readLabels(10, 2, 2)).labelNames, ['2', '10']);
  assert.deepEqual(
    (await readLabels(10, 2, 2)).reviews.map(({ label }) => label),
    [1, 0, 0],
  );
  assert.deepEqual((await readLabels(true, false)).labelNames, ['false', 'true']);
});

test("baselines: the majority class, and a bag of words within three rows of scikit-learn's accuracy", () => {
  const { train, test } = splitReviews(embedded);
  assert.ok(Math.abs(majorityBaseline(train, test).accuracy - 0.586) < 0.001);
  // scikit-learn 1.9 on the same rows, the pipeline named in baseline.ts: 477 of 597.
  assert.ok(Math.abs(bagOfWordsBaseline(train, test).accuracy - 477 / 597) < 3 / 597);
});

test('a bag of words distinguishes more than two classes', () => {
  const words = ['sun', 'rain', 'snow'];
  const reviews = Array.from({ length: 60 }, (_, i) => ({ text: `${words[i % 3]} on day number ${i}`, label: i % 3 }));
  assert.equal(bagOfWordsBaseline(reviews.slice(0, 45), reviews.slice(45)).accuracy, 1);
});
