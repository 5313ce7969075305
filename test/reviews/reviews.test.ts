import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { loadReviews } from 'tunebook/hub/sources.js';
import { embeddedReviews } from 'tunebook/reviews/embedded.js';
import { readReviews } from 'tunebook/reviews/read.js';
import { sampleReviews } from 'tunebook/reviews/sample.js';
import { splitReviews } from 'tunebook/reviews/split.js';
import { toDataFrame } from 'tunebook/reviews/table.js';
import { readSettings } from 'tunebook/settings.js';
import { bagOfWordsBaseline, majorityBaseline } from 'tunebook/training/baseline.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));
const write = (name: string, content: string) => {
  fs.writeFileSync(path.join(folder, name), content);
  return path.join(folder, name);
};
const columns = { textColumns: ['title', 'content'], labelColumn: 'label' };

test('the embedded reviews: 2,985 of 3,708, the rest counted', () => {
  const set = embeddedReviews();
  assert.equal(set.reviews.length, 2985);
  assert.deepEqual(set.dropped, { emptyText: 0, missingLabel: 0, belowThreshold: 723 });
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
  assert.deepEqual(set.dropped, { emptyText: 1, missingLabel: 1, belowThreshold: 0 });
});

test('JSON lines with named labels; a broken line is named by its number', async () => {
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
  await assert.rejects(readReviews(write('c.jsonl', `${rows}\n{"title":`), columns), /c\.jsonl, line 3, is not JSON/);
});

test('what cannot be read is refused in words', async () => {
  await assert.rejects(
    readReviews(write('d.csv', 'text,stars\na,1\n'), columns),
    /no column 'title'. It has: text, stars/,
  );
  await assert.rejects(readReviews(write('e.csv', 'title,content,label\n"open,1\n'), columns), /not well-formed CSV/);
  await assert.rejects(readReviews(write('f.parquet', 'PAR1 but no more'), columns), /not a whole Parquet file/);
  await assert.rejects(readReviews(write('g.txt', 'x'), columns), /ends in '\.txt'/);
  await assert.rejects(loadReviews('amazon_polarity', columns), /hub is not there yet/);
});

test('the split is stratified, seeded, and keeps copies of a text on one side', () => {
  const { reviews } = embeddedReviews();
  const copies = [
    ...reviews,
    ...reviews.slice(0, 300).map(({ text, label }) => ({ text: `  ${text.toUpperCase()} `, label })),
  ];
  const split = splitReviews(copies);
  const parts = Object.values(split) as (typeof reviews)[];
  assert.equal(
    parts.reduce((sum, part) => sum + part.length, 0),
    copies.length,
  );
  const sides = parts.map((part) => new Set(part.map(({ text }) => text.toLowerCase().replace(/\s+/g, ' ').trim())));
  for (const text of sides[2]!) assert.ok(!sides[0]!.has(text) && !sides[1]!.has(text), text);
  const share = (part: typeof reviews) => part.filter(({ label }) => label === 1).length / part.length;
  for (const part of parts) assert.ok(Math.abs(share(part) - share(copies)) < 0.02);
  assert.deepEqual(splitReviews(copies), split);
  assert.notDeepEqual(splitReviews(copies, { seed: 1 }).test, split.test);
});

test('one class only, and too few rows, are refused', () => {
  assert.throws(
    () =>
      splitReviews([
        { text: 'a', label: 1 },
        { text: 'b', label: 1 },
      ]),
    /of one class/,
  );
  assert.throws(
    () =>
      splitReviews([
        { text: 'a', label: 0 },
        { text: 'b', label: 1 },
      ]),
    /too few to split/,
  );
});

test('a sample has the number asked for and each class in its share', () => {
  const { reviews } = embeddedReviews();
  const sample = sampleReviews(reviews, { rows: 300, seed: 7 });
  assert.ok(Math.abs(sample.length - 300) <= 1);
  assert.equal(new Set(sample).size, sample.length);
  assert.deepEqual(sampleReviews(reviews, { rows: 300, seed: 7 }), sample);
});

test('a danfo DataFrame on the one TensorFlow', async () => {
  const table = await toDataFrame(
    [
      { text: 'two words', label: 1 },
      { text: 'one', label: 0 },
    ],
    ['negative', 'positive'],
  );
  assert.deepEqual(table.shape, [2, 3]);
  assert.deepEqual(table.column('words').values, [2, 1]);
});

test('baselines: the bag of words beats the majority by far', () => {
  const { train, test } = splitReviews(embeddedReviews().reviews);
  const majority = majorityBaseline(train, test);
  const bagOfWords = bagOfWordsBaseline(train, test);
  assert.ok(Math.abs(majority.accuracy - 0.586) < 0.001);
  assert.ok(bagOfWords.accuracy > majority.accuracy + 0.15);
});

test('settings: defaults, then code, then the environment; nonsense is refused by name', () => {
  assert.equal(readSettings({}, {}).epochs, 3);
  assert.equal(readSettings({ epochs: 2 }, {}).epochs, 2);
  assert.equal(readSettings({ epochs: 2 }, { TUNEBOOK_EPOCHS: '5' }).epochs, 5);
  assert.deepEqual(readSettings({}, { TUNEBOOK_TEXT_COLUMNS: 'title,content' }).textColumns, ['title', 'content']);
  assert.throws(() => readSettings({}, { TUNEBOOK_EPOCHS: 'many' }), /TUNEBOOK_EPOCHS \(epochs\) is 'many'/);
});
