// Labels as people write them: ratings in several forms, spellings, ranges, several labels per row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReviewsError } from '#lib/errors.js';
import { proposeMapping } from '#lib/reviews/labels.js';
import { formatLabelMapping, readLabelMapping } from '#lib/settings/label-mapping.js';
import { failure } from '../failure.js';
import { readText } from './files.js';

const csv = (...labels: string[]) => `text,rating\n${labels.map((label, i) => `t${i},"${label}"\n`).join('')}`;

test('5, 5.0, "5 stars", "5.0 out of 5 stars" and 5/5 are the same label', async () => {
  const labels = ['5', '5.0', '5 stars', '5.0 out of 5 stars', '5/5', '1 star', '1.0', ''];
  const { reviews, source } = await readText('a.csv', csv(...labels));
  assert.deepEqual(reviews, ['t0|5', 't1|5', 't2|5', 't3|5', 't4|5', 't5|1', 't6|1']);
  assert.equal(source.dropped.missingLabel, 1);
});

test('ranges and the mapping "stars" leave the middle out and count it', async () => {
  for (const labelMapping of ['1-2 -> negative; 4-5 -> positive', 'stars']) {
    const { reviews, source } = await readText('a.csv', csv('1', '2.0', '3', '4 stars', '5'), { labelMapping });
    assert.deepEqual(reviews, ['t0|negative', 't1|negative', 't3|positive', 't4|positive']);
    assert.equal(source.dropped.unmappedLabel, 1);
  }
});

test('spellings of a name are one class, with a note', async () => {
  const { source, reviews } = await readText('a.csv', csv('positive', 'Positive ', 'POSITIVE', 'positive', 'negative'));
  assert.deepEqual(source.labelNames, ['negative', 'positive']);
  assert.equal(reviews[2], 't2|positive');
  assert.match(source.notes[0]!, /'positive', 'Positive', 'POSITIVE' are one class: positive/);
});

test('a mapping without a label of the column is an error with the labels, their counts and a mapping that works', async () => {
  const content = csv('1', '5', '5', '3');
  let message = '';
  await assert.rejects(readText('a.csv', content, { labelMapping: 'bad -> negative; good -> positive' }), (error) => {
    message = (error as Error).message;
    return failure(ReviewsError, 'REVIEWS_NO_ROWS', { labels: ['1', '3', '5'] })(error);
  });
  assert.match(message, /'1' \(1 row\), '3' \(1 row\), '5' \(2 rows\)/);
  const proposed = /labelMapping: '([^']+)'/.exec(message)![1]!;
  assert.deepEqual((await readText('a.csv', content, { labelMapping: proposed })).reviews, [
    't0|negative',
    't1|positive',
    't2|positive',
  ]);
});

test('lists of labels are rejected; a list of one label is that label', async () => {
  for (const [name, content] of [
    ['a.csv', csv("['price', 'quality']", "['price']")],
    ['a.jsonl', '{"text":"a","label":["price","quality"]}\n{"text":"b","label":["price"]}\n'],
  ] as const)
    await assert.rejects(readText(name, content), failure(ReviewsError, 'REVIEWS_MULTI_LABEL'));
  assert.deepEqual((await readText('a.csv', csv("['price']", "['quality']"))).reviews, ['t0|price', 't1|quality']);
  for (const joined of [
    ['price', 'quality', 'price, quality'],
    ['price|service', 'other', 'price|quality'],
  ]) {
    await assert.rejects(readText('a.csv', csv(...joined)), failure(ReviewsError, 'REVIEWS_MULTI_LABEL'));
    // A mapping leaves joined labels out, or names them.
    const mapping = { labelMapping: { a: [joined[1]!], b: [joined[2]!] } };
    assert.deepEqual((await readText('a.csv', csv(...joined), mapping)).reviews, ['t1|a', 't2|b']);
  }
  const single = await readText('a.csv', csv('TCP|IP', 'UDP', '1', '5', '1,5', '4,25'));
  assert.deepEqual((await readText('a.csv', csv('007', '7', '05/06'))).source.labelNames, ['05/06', '007', '7']);
  assert.deepEqual(single.source.labelNames, ['1', '1.5', '4.25', '5', 'TCP|IP', 'UDP']);
});

test('objects are no labels', async () => {
  await assert.rejects(
    readText('a.jsonl', '{"text":"a","label":{"value":5}}\n{"text":"b","label":{"value":1}}\n'),
    failure(ReviewsError, 'REVIEWS_NO_LABEL_COLUMN', { column: 'label', value: { value: 5 } }),
  );
});

test('decimal commas, full-width digits, spaces and other maxima than 5', async () => {
  const { reviews, source } = await readText('a.csv', csv('1,5', '1.50', '４', '4.', 'very  good', 'Very good\u200b'));
  assert.deepEqual(reviews, ['t0|1.5', 't1|1.5', 't2|4', 't3|4', 't4|very  good', 't5|very  good']);
  assert.deepEqual(source.labelNames, ['1.5', '4', 'very  good']);
  const scales = await readText('a.csv', csv('8/10', '8 out of 10', '4/5', 'Rated 4 out of 5 stars'));
  assert.deepEqual(scales.reviews, ['t0|8/10', 't1|8/10', 't2|4', 't3|4']);
  const labelMapping = '1-5 -> low; 6-10 -> high';
  const mapped = await readText('a.csv', csv('8/10', '3/10'), { labelMapping });
  assert.deepEqual(mapped.reviews, ['t0|high', 't1|low']);
});

test('spellings of missing values are no labels, unless a mapping names them', async () => {
  const labels = csv('good', 'bad', 'N/A', 'None', '#N/A');
  const { reviews, source } = await readText('a.csv', labels);
  assert.deepEqual([reviews, source.dropped.missingLabel], [['t0|good', 't1|bad'], 3]);
  assert.match(source.notes.join(), /'#N\/A' \(1 row\), 'N\/A' \(1 row\), 'None' \(1 row\)/);
  const mapped = await readText('a.csv', labels, { labelMapping: 'good -> good; None -> nothing' });
  assert.deepEqual(mapped.reviews, ['t0|good', 't3|nothing']);
  const texts = await readText('a.csv', 'text,label\nN/A,1\nGood,1\nBad,0\n');
  assert.deepEqual([texts.reviews.length, texts.source.dropped.emptyText], [2, 1]);
  const json = await readText('a.jsonl', '{"text":"NA","label":"None"}\n{"text":"b","label":"c"}\n');
  assert.deepEqual(json.reviews, ['NA|None', 'b|c'], 'JSON has null');
});

test('0 and 1 are named negative and positive, with a note; many numbers get a note', async () => {
  const { source } = await readText('a.csv', csv('0', '1'));
  assert.deepEqual(source.labelNames, ['negative', 'positive']);
  assert.match(source.notes.join(), /0 is named negative and 1 positive/);
  const scores = await readText('a.csv', csv(...Array.from({ length: 30 }, (_, i) => `0.${i + 10}`)));
  assert.match(scores.source.notes.join(), /30 different numbers.*0\.1-0\.24 -> negative; 0\.25-0\.39 -> positive/);
});

test('a class of a mapping without rows is an error, a label without rows gets a note', async () => {
  const content = csv('1', '5', '5');
  await assert.rejects(
    readText('a.csv', content, { labelMapping: '1 -> bad; 5 -> good; 6 -> wow' }),
    failure(ReviewsError, 'REVIEWS_EMPTY_CLASS', { class: 'wow', column: 'rating', labels: ['1', '5'] }),
  );
  const { source } = await readText('a.csv', content, { labelMapping: '1,2 -> bad; 4-5 -> good; ' });
  assert.match(source.notes.join(), /does not contain: 2\./);
});

test('proposed mappings work for spellings, ranges, separators and quotes', async () => {
  for (const [labels, classes] of [
    [
      ['FALSE', 'False', 'TRUE', 'true'],
      ['negative', 'negative', 'positive', 'positive'],
    ],
    [
      ['1-2', '3', '4-5'],
      ['negative', 'positive'],
    ],
    [
      ['Home, Garden', 'a -> b', 'x;y'],
      ['a -> b', 'Home, Garden', 'x;y'],
    ],
  ] as const) {
    const counts = new Map(labels.map((label) => [label as string, 1]));
    const labelMapping = formatLabelMapping(proposeMapping(counts.keys()));
    const { reviews } = await readText('a.csv', csv(...labels), { labelMapping });
    assert.deepEqual(reviews.map((review) => review.split('|')[1]!).sort(), [...classes].sort(), labelMapping);
  }
});

test('invalid mappings: an empty class, two arrows, names that differ in case', () => {
  for (const mapping of ['1,2 -> ; 4 -> pos', '1 -> a -> b; 5 -> c', '1-2 -> Neg; 4-5 -> neg'])
    assert.throws(
      () => readLabelMapping(mapping),
      failure(ReviewsError, 'LABEL_MAPPING_INVALID', { mapping }),
      mapping,
    );
  assert.deepEqual(Object.keys(readLabelMapping('1 -> constructor; 5 -> __proto__')), ['constructor', '__proto__']);
});
