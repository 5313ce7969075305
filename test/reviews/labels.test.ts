// Labels as people write them: ratings in several forms, spellings, ranges, several labels per row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReviewsError } from '#lib/errors.js';
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
});
