// Damaged files of every format end in their intact texts, with what was left out counted, or in an error of Tunebook.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bases, readDamaged, readIntact, reviews } from './mutations.js';

test('intact files of every format have the same texts', async () => {
  const texts = reviews.map(({ text }) => text.replaceAll('\n', ' ')).sort();
  for (const base of bases) assert.deepEqual((await readIntact(base)).map(({ text }) => text).sort(), texts, base.name);
});

test('200 damaged files: no other errors, no damaged text', async () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const { description, outcome, wrong } = await readDamaged(seed);
    assert.equal(wrong, undefined, description);
    outcomes.add(outcome);
  }
  for (const expected of ['read', 'REVIEWS_DAMAGED', 'REVIEWS_MALFORMED']) assert.ok(outcomes.has(expected), expected);
});
