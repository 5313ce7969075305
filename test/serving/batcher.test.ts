// Batches of a token budget with a real model: their size, padding and order, and the answers of requests that share them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { TimeoutError } from '#lib/errors.js';
import { exportModel } from '#lib/export/export.js';
import { batchOfFirst, tokenBatches } from '#lib/export/token-batches.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { seededRandom } from '#lib/reviews/random.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { Batcher } from '#lib/serving/batcher.js';
import { openSentimentModel, type EncodedPair, type SentimentModel, type TextInput } from '#lib/serving/sentiment.js';
import { writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-batcher-'));
const maxBatchTokens = 128;
let model: SentimentModel;
/** The model, which records the number of tokens of each text of each batch. */
let recorded: SentimentModel;
let batches: number[][];
/** Number of tokens of an encoded text. */
const lengthOf = (text: TextInput | EncodedPair) => (text as EncodedPair).ids.length;
before(async () => {
  writeTinyModel(folder);
  await exportModel(folder, await sampleReviews(await embeddedReviews(), { rows: 50 }), { version: '0' });
  model = await openSentimentModel(folder, { maxBatchTokens });
  recorded = {
    ...model,
    predictProbabilities(texts) {
      batches.push(texts.map(lengthOf));
      return model.predictProbabilities(texts);
    },
  };
});
beforeEach(() => {
  batches = [];
});
after(async () => {
  await model.dispose();
  fs.rmSync(folder, { recursive: true });
});

/** A text of a number of tokens. */
const textOf = (tokens: number) => 'good '.repeat(tokens - 2);
const paddedTokens = (lengths: number[]) => lengths.length * Math.max(...lengths);

test('batches contain each text once, within the limit of tokens, and similar lengths', () => {
  const random = seededRandom(3);
  const lengths = Array.from({ length: 500 }, () => 1 + Math.floor(200 * random()));
  const all = tokenBatches(lengths, maxBatchTokens);
  assert.deepEqual(
    all.flat().sort((a, b) => a - b),
    lengths.map((_, index) => index),
  );
  for (const batch of all.map((indices) => indices.map((index) => lengths[index]!))) {
    // A text that exceeds the limit is a batch of its own.
    assert.ok(batch.length === 1 || paddedTokens(batch) <= maxBatchTokens, String(batch));
    assert.ok(paddedTokens(batch) - batch.reduce((sum, length) => sum + length) <= 32, String(batch));
  }
  assert.deepEqual(tokenBatches([4, 4, 4, 4, 4], 8), [[0, 1], [2, 3], [4]]);
  assert.deepEqual(tokenBatches([], 8), []);
});

test('the batch of a text contains those of the nearest lengths, within the limits of tokens and padding', () => {
  assert.deepEqual(batchOfFirst([10, 50, 12, 9, 100], maxBatchTokens), [0, 3, 2]);
  assert.deepEqual(batchOfFirst([4, 4, 4], 8), [0, 1]);
  assert.deepEqual(batchOfFirst([40, 7, 1], maxBatchTokens), [0], 'a padding of 33 tokens');
  assert.deepEqual(batchOfFirst([40, 8, 1], maxBatchTokens), [0, 1], 'a padding of 32 tokens');
  assert.deepEqual(batchOfFirst([64, 65, 60], maxBatchTokens), [0, 2], 'the nearest length does not fit');
  assert.deepEqual(batchOfFirst([200, 1], maxBatchTokens), [0], 'more tokens than the limit');
});

test('texts of the 16 oldest requests share a batch', async () => {
  const batcher = new Batcher(recorded);
  const lengths = [8, ...Array<number>(14).fill(60), 9, 10];
  await Promise.all(lengths.map((tokens) => batcher.score([textOf(tokens)])));
  assert.deepEqual(batches[0], [8, 9]);
  assert.deepEqual(batches.at(-1), [10]);
});

test('requests that share batches get the probabilities of their own texts', async () => {
  const random = seededRandom(5);
  const words = ['good', 'bad', 'never', 'again', 'works'];
  const requests = Array.from({ length: 20 }, () =>
    Array.from({ length: 1 + Math.floor(5 * random()) }, () =>
      Array.from({ length: 1 + Math.floor(40 * random()) }, () => words[Math.floor(5 * random())]).join(' '),
    ),
  );
  const batcher = new Batcher(recorded);
  const answers = await Promise.all(requests.map((texts) => batcher.score(texts)));
  const texts = requests.flat();
  assert.ok(batches.length < texts.length && batches.some((batch) => batch.length > 5), 'texts share batches');
  for (const batch of batches) assert.ok(paddedTokens(batch) <= maxBatchTokens);
  for (const [i, probabilities] of answers.flat().entries()) {
    const [expected] = await model.predictProbabilities([texts[i]!]);
    probabilities.forEach((probability, label) => assert.ok(Math.abs(probability - expected![label]!) < 1e-5));
  }
  assert.equal(batcher.waiting, 0);
});

test('a single text does not wait for others', async () => {
  await new Batcher(recorded).score([textOf(10)]);
  assert.deepEqual(batches, [[10]]);
});

test('a long text is scored before texts that arrive later', async () => {
  const batcher = new Batcher(recorded);
  const short = () => batcher.score(Array.from({ length: 40 }, () => textOf(8)));
  // As long as the long text waits, each answer causes further short texts.
  let longAnswered = false;
  const flood = async () => {
    for (let i = 0; i < 50 && !longAnswered; i++) await short();
  };
  const floods = [flood(), flood()];
  const long = batcher.score([textOf(60)]).then(() => (longAnswered = true));
  await Promise.all([long, ...floods]);
  // Five batches of 16 texts are the 80 older ones; the flood adds younger ones meanwhile.
  assert.deepEqual(batches[5], [60]);
});

test('the queued texts of a request that timed out are not scored', async () => {
  const batcher = new Batcher(recorded, { timeout: 0.001 });
  const slow = batcher.score(Array.from({ length: 300 }, () => textOf(60)));
  await assert.rejects(slow, (error) => error instanceof TimeoutError && error.code === 'REQUEST_TIMEOUT');
  assert.equal(batcher.waiting, 0);
  assert.ok(batches.flat().length < 300);
});

test('an error of the model rejects the requests of its batch only', async () => {
  const failing: SentimentModel = {
    ...model,
    predictProbabilities: (texts) =>
      texts.some((text) => lengthOf(text) === 60)
        ? Promise.reject(new Error('failed'))
        : model.predictProbabilities(texts),
  };
  const batcher = new Batcher(failing);
  const unreadable = new Batcher({
    ...model,
    encode: () => {
      throw new Error('not encoded');
    },
  });
  await assert.rejects(unreadable.score([textOf(5)]), /not encoded/);
  const bad = batcher.score([textOf(60), textOf(5)]);
  const good = batcher.score([textOf(5)]);
  await assert.rejects(bad, /failed/);
  assert.equal((await good).length, 1);
  assert.equal(batcher.waiting, 0);
});
