/** Labels of multi-label classification: lists in JSON Lines, CSV, Parquet and Arrow, and columns of 0 and 1; anything else is rejected. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Field, List, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { ReviewsError, SettingsError } from '#lib/errors.js';
import { describeSource, summarizeData } from '#lib/reviews/describe-source.js';
import { loadReviews } from '#lib/reviews/load-reviews.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import type { ReviewsOptions } from '#lib/reviews/reviews-options.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { failure } from '../failure.js';
import { listParquet, writeFile } from './files.js';

const problemType = 'multi_label_classification';

/** Reads a file: the reviews as `text|class,class`, and the source. */
async function read(name: string, content: string | Uint8Array, options: ReviewsOptions = {}) {
  const source = await openReviews(writeFile(name, content), { problemType, ...options });
  const reviews = await sampleReviews(source, { stratify: false });
  const namesOf = (labels: number[]) => labels.map((label) => source.labelNames[label]).join();
  return { source, reviews: reviews.map(({ text, labels }) => `${text}|${namesOf(labels!)}`) };
}

const rejects = (
  name: string,
  content: string,
  code: ReviewsError['code'],
  values: Record<string, unknown>,
  options?: ReviewsOptions,
) => assert.rejects(read(name, content, options), failure(ReviewsError, code, values));

const jsonLines = (...labels: unknown[]) =>
  labels.map((value, i) => `${JSON.stringify({ text: `t${i}`, labels: value })}\n`).join('');

test('lists of names in JSON Lines: an empty list is valid, a missing one is left out, spellings are one class', async () => {
  const { reviews, source } = await read(
    'a.jsonl',
    jsonLines(['price', 'quality'], [], null, ['Quality', 'quality'], ['quality', 'a, b']),
  );
  assert.deepEqual(reviews, ['t0|price,quality', 't1|', 't3|quality', 't4|a, b,quality']);
  assert.deepEqual(source.labelNames, ['a, b', 'price', 'quality']);
  assert.equal(source.dropped.missingLabel, 1);
  assert.ok(source.notes.includes("'quality', 'Quality' are one class: quality."));
});

test('JSON arrays in CSV contain names or numbers, with the classes in numerical order', async () => {
  const csv = (...labels: string[]) => `text,labels\n${labels.map((value, i) => `t${i},"${value}"`).join('\n')}\n`;
  const numbers = await read('a.csv', csv('[10, 2]', '[]', 'N/A', '[3]'));
  assert.deepEqual(
    [numbers.source.labelNames, numbers.reviews],
    [
      ['2', '3', '10'],
      ['t0|2,10', 't1|', 't3|3'],
    ],
  );
  const names = await read('b.csv', csv('[""joy""]', '[""love"", ""joy""]'));
  assert.deepEqual(names.reviews, ['t0|joy', 't1|joy,love']);
  const binary = await read('c.csv', csv('[0]', '[1, 0]'));
  assert.deepEqual(binary.source.labelNames, ['0', '1'], '0 and 1 are not negative and positive here');
});

test('lists of class numbers in Parquet have the names of the features; without features their numbers', async () => {
  const features = {
    text: { dtype: 'string', _type: 'Value' },
    labels: { feature: { names: ['admiration', 'anger', 'joy'], _type: 'ClassLabel' }, _type: 'Sequence' },
  };
  const lists = [[0n, 2n], [], [1n]];
  const named = await read('a.parquet', listParquet(lists, { info: { features } }));
  assert.deepEqual(named.reviews, ['t0|admiration,joy', 't1|', 't2|anger']);
  const plain = await read('b.parquet', listParquet(lists));
  assert.deepEqual(plain.reviews, ['t0|0,2', 't1|', 't2|1']);
  await assert.rejects(
    read('c.parquet', listParquet([[0n], [3n]], { info: { features } })),
    failure(ReviewsError, 'REVIEWS_UNKNOWN_LABEL', { label: '3', row: 2 }),
  );
  const text = vectorFromArray(['t0', 't1'], new Utf8());
  const labels = vectorFromArray([['b', 'a'], ['b']], new List(new Field('item', new Utf8())));
  const arrow = tableToIPC(new Table({ text, labels }), 'stream');
  assert.deepEqual((await read('d.arrow', arrow)).reviews, ['t0|a,b', 't1|b']);
});

test("lists in Python's syntax, as pandas writes them, are read like JSON arrays, also beside them", async () => {
  const lists = [
    `"['music', 'price']"`,
    '[]',
    `"[""it's""]"`,
    `"['a\\'b', ""it's"",]"`,
    `"[""price""]"`,
    `"['caf\\xe9\\n\\\\']"`,
    `"['a, b|c', 3]"`,
  ];
  const content = `text,labels\n${lists.map((list, i) => `t${i},${list}`).join('\n')}\n`;
  const expected = ['music,price', '', "it's", "a'b,it's", 'price', 'café\n\\', '3,a, b|c'];
  assert.deepEqual(
    (await read('a.csv', content)).reviews,
    expected.map((labels, i) => `t${i}|${labels}`),
  );
});

test('labels separated by | or ; are read if the whole column is so, which is stated; a doubtful column is an error', async () => {
  const csv = (values: string[]) => `text,labels\n${values.map((value, i) => `t${i},"${value}"`).join('\n')}\n`;
  for (const separator of ['|', ';']) {
    const values = ['price|quality', 'service', '', 'quality | Toys, Games'].map((each) =>
      each.replace('|', separator),
    );
    const { source, reviews } = await read('a.csv', csv(values));
    assert.deepEqual(reviews, ['t0|price,quality', 't1|service', 't3|quality,Toys, Games']);
    assert.equal(source.reading.labelSeparator, separator);
    assert.ok(
      source.notes.some((note) => note.endsWith(`'labels' is a list of classes that are separated by ${separator}.`)),
    );
    assert.deepEqual(source.classCounts, [1, 2, 1, 1]);
  }
  assert.deepEqual((await read('b.csv', csv(['0|2', '1', '0']))).reviews, ['t0|0,2', 't1|1', 't2|0']);
  for (const values of [
    // No value is part of another.
    ['price|quality', 'service|delivery'],
    ['price', 'quality'],
    // Two separators, and one within a part.
    ['a|b', 'b;c', 'a'],
    ['a|b', 'a', 'b', 'c', 'a, c|b'],
    ['a, b', 'a', 'b'],
    // Lists beside separated labels, and a label that is missing.
    ['a|b', 'a', '[""a"", ""b""]'],
    ['a|b', 'a', 'b|'],
  ]) {
    const value = values.find((each) => each !== 'a')!;
    const cause = /[|;]/.test(value) ? 'doubtful' : 'list';
    await rejects('c.csv', csv(values), 'REVIEWS_LABELS_INVALID', { column: 'labels', row: 1, value, cause });
  }
});

test('several columns of 0 and 1 are classes by their names; rows with a missing or hidden one are left out', async () => {
  const lines = ['t0,1,0.0,False', 't1,0,0,false', 't2,1,1.0,TRUE', 't3,,0,true', 't4,-1,-1,-1'];
  const content = `text,toxic,obscene,threat\n${lines.join('\n')}\n`;
  const options = { labelColumn: 'toxic, Threat,obscene' };
  const { reviews, source } = await read('a.csv', content, options);
  assert.deepEqual(source.labelNames, ['toxic', 'threat', 'obscene']);
  assert.deepEqual([reviews, source.dropped.missingLabel], [['t0|toxic', 't1|', 't2|toxic,threat,obscene'], 2]);
  assert.deepEqual(source.classCounts, [2, 1, 1]);
  assert.match(describeSource(source)[0]!, /label: 'toxic,threat,obscene'\.$/);
  const split = { train: await sampleReviews(source, { stratify: false }), validation: [], test: [] };
  assert.deepEqual(
    summarizeData(source, split, false, []).classes.map(({ rows }) => rows),
    [2, 1, 1],
  );
  const json = `{"text":"a","x":true,"y":0}\n{"text":"b","x":false,"y":1}\n`;
  assert.deepEqual((await read('b.jsonl', json, { labelColumn: 'x,y' })).reviews, ['a|x', 'b|y']);
  for (const value of ['2', 'yes', '-1', '0.5', '1 star'])
    await rejects(
      'c.csv',
      `text,x,y\na,0,1\nb,${value},0\n`,
      'REVIEWS_LABELS_INVALID',
      { column: 'x', row: 2, value },
      { labelColumn: 'x,y' },
    );
  await rejects('d.csv', content, 'REVIEWS_NO_COLUMN', { column: 'insult' }, { labelColumn: 'toxic,insult' });
  await assert.rejects(
    read('e.csv', content, { labelColumn: 'toxic,toxic' }),
    failure(SettingsError, 'SETTING_CONFLICT', { column: 'toxic' }),
  );
});

test('without a usual label column, the error proposes the columns of 0 and 1', async () => {
  const content = 'text,id,toxic,obscene,threat\nt0,1,1,0.0,False\nt1,2,0,1,true\n';
  const flagColumns = ['toxic', 'obscene', 'threat'];
  await rejects('a.csv', content, 'REVIEWS_NO_LABEL_COLUMN', { flagColumns });
  await assert.rejects(
    read('a.csv', content),
    /labelColumn: 'toxic,obscene,threat'|--label-column toxic,obscene,threat/,
  );
  await assert.rejects(
    read('a.csv', content, { problemType: 'regression' }),
    (error: unknown) => !('flagColumns' in (error as ReviewsError).values),
  );
  await assert.rejects(
    read('b.csv', 'text,id,toxic\nt0,1,1\nt1,2,0\n'),
    (error: unknown) => !('flagColumns' in (error as ReviewsError).values),
  );
});

test('other values than lists of names or numbers are rejected before reviews are used', async () => {
  for (const value of ['price', 3, true, { price: 1 }, '["price"', 'price|quality'])
    await rejects('a.jsonl', jsonLines(['a', 'b'], value), 'REVIEWS_LABELS_INVALID', {
      column: 'labels',
      row: 2,
      value,
    });
  for (const value of [[['a']], ['a', null], [true], [{}], ['']])
    await rejects('a.jsonl', jsonLines(['a', 'b'], value), 'REVIEWS_LABELS_INVALID', {
      column: 'labels',
      row: 2,
      value,
    });
  for (const value of ['[a, b]', "['a' 'b']", "['a', None]", "['a'", "[['a']]", "('a', 'b')", 'a|b', '{}'])
    await rejects('a.csv', `text,labels\nx,"[""a"", ""b""]"\ny,"${value}"\n`, 'REVIEWS_LABELS_INVALID', {
      column: 'labels',
      row: 2,
      value,
    });
  await rejects('a.jsonl', jsonLines(['a'], []), 'REVIEWS_ONE_CLASS', { labels: ['a'] });
  const many = Array.from({ length: 101 }, (_, i) => `c${i}`);
  await rejects('a.jsonl', jsonLines(many), 'REVIEWS_TOO_MANY_CLASSES', { classes: 101 });
  const same = writeFile('a.jsonl', jsonLines(['a', 'b'], ['b', 'a'], ['a', 'b']));
  await assert.rejects(
    loadReviews(same, { problemType }),
    failure(ReviewsError, 'REVIEWS_ONE_CLASS', { labels: ['a', 'b'], rows: 3 }),
  );
});

test('copies of a text stay together although their classes differ, and the split depends on the seed only', async () => {
  const lines = Array.from({ length: 60 }, (_, i) => ({
    text: `text ${i % 20}`,
    labels: [['a'], ['a', 'b'], []][i % 3],
  }));
  const file = writeFile('a.jsonl', lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const { train, validation, test: testSet, labels } = await loadReviews(file, { problemType });
  const parts = [train, validation, testSet];
  assert.deepEqual(labels, ['a', 'b']);
  assert.equal(parts.flat().length, 60);
  const texts = parts.map((part) => new Set(part.map(({ text }) => text)).size);
  assert.equal(
    texts.reduce((a, b) => a + b, 0),
    20,
  );
  assert.deepEqual((await loadReviews(file, { problemType })).test, testSet);
});

test('lists in another problem type are rejected with the flag that reads them', async () => {
  await assert.rejects(
    read('a.jsonl', jsonLines(['a', 'b'], ['a']), { problemType: 'single_label_classification' }),
    (error: unknown) =>
      failure(ReviewsError, 'REVIEWS_MULTI_LABEL')(error) &&
      /problemType: 'multi_label_classification'|--problem-type multi_label_classification/.test(
        (error as Error).message,
      ),
  );
});
