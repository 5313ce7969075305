/** Tokenization, and the batches of training and evaluation. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ArgumentError, ModelFormatError } from '#lib/errors.js';
import { trainingBatches } from '#lib/batching/batches.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { seededRandom } from '#lib/reviews/random.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { failure } from '../failure.js';
import { embeddedModel, fixtures } from '../checkout.js';
import { evaluationBatches, padBatch, type EncodedReviews } from '#lib/model/batch.js';

test('token ids match those of transformers', () => {
  const tokenizer = loadTokenizer(embeddedModel);
  const cases = JSON.parse(fs.readFileSync(path.join(fixtures, 'tokens.json'), 'utf8')) as {
    text: string;
    ids: number[];
  }[];
  for (const { text, ids } of cases) assert.deepEqual([...tokenizer.encode(text)], ids, text.slice(0, 40));
  assert.equal(tokenizer.encode('great '.repeat(600), 16).length, 16);
  assert.doesNotThrow(() => tokenizer.encode('a lone \ud83d surrogate'));
});

test('with the word cache, token ids match transformers.js on reviews and random strings', async () => {
  const { AutoTokenizer, env } = await import('@huggingface/transformers');
  env.allowRemoteModels = false;
  const referenceTokenizer = await AutoTokenizer.from_pretrained(embeddedModel, { local_files_only: true });
  const tokenizer = loadTokenizer(embeddedModel);
  const random = seededRandom(1);
  const alphabet = [
    // Split into code points, so that the strings contain parts of composed characters.
    // oxlint-disable-next-line typescript/no-misused-spread
    ..."aZ0 \t\n\r\v\u00a0\u3000\u2028\ufeff\u200b\u0000\u0007.,'-#[]()éÉßΣσς\u0301很好ก็ไทยअ😀👩‍👩‍👧\ufffd",
    ' ',
    ' ',
    'the',
    '[SEP]',
    '[MASK]',
    'ing',
  ];
  const strings = Array.from({ length: 3000 }, () =>
    Array.from({ length: Math.floor(random() * 30) }, () => alphabet[Math.floor(random() * alphabet.length)]).join(''),
  );
  for (const text of [...(await sampleReviews(await embeddedReviews())).map(({ text }) => text), ...strings])
    assert.deepEqual([...tokenizer.encode(text, 512)], referenceTokenizer.encode(text), JSON.stringify(text));
});

test("texts are truncated to the model's maximum length even if a greater length is requested", () => {
  const tokenizer = loadTokenizer(embeddedModel);
  assert.equal(tokenizer.maxTokens, 512);
  assert.equal(tokenizer.encode('great '.repeat(1200), 1024).length, 512);
});

test('a text that is longer than the model accepts is an error, not one of TensorFlow', () => {
  const reviews = { ids: [new Int32Array(9), new Int32Array(3)], labels: new Int32Array(2) };
  assert.equal(padBatch(reviews, [1], 8).tokens, 8);
  assert.throws(
    () => padBatch(reviews, [0, 1], 8),
    failure(ArgumentError, 'ARGUMENT_TEXT_TOO_LONG', { tokens: 9, maxTokens: 8 }),
  );
});

test('a folder without a tokenizer is an error', () => {
  assert.throws(() => loadTokenizer(fixtures), failure(ModelFormatError, 'MODEL_NO_TOKENIZER', { folder: fixtures }));
});

const reviews: EncodedReviews = {
  ids: Array.from({ length: 103 }, (_, i) => new Int32Array(1 + ((i * 37) % 50)).fill(i + 1)),
  labels: Int32Array.from({ length: 103 }, (_, i) => i % 2),
};
const order = (epoch: number, seed = 1) =>
  trainingBatches(reviews, { batchSize: 8, seed, epoch }).map(({ indices }) => indices);

test('an epoch contains each row once, in its own order, padded to the rounded length of the longest text', () => {
  const batches = trainingBatches(reviews, { batchSize: 8, seed: 1, epoch: 0 });
  assert.deepEqual(
    batches.flatMap(({ indices }) => indices).sort((a, b) => a - b),
    Array.from({ length: 103 }, (_, i) => i),
  );
  assert.equal(batches[0]!.tokens, 56);
  for (const { indices, tokens } of batches)
    assert.equal(tokens, 8 * Math.ceil(Math.max(...indices.map((index) => reviews.ids[index]!.length)) / 8));
  const padded = (length: number) => padBatch({ ids: [new Int32Array(length)], labels: new Int32Array(1) }, [0]).tokens;
  assert.deepEqual([1, 8, 9, 128, 129, 256, 257].map(padded), [8, 8, 16, 128, 144, 256, 288]);
  assert.equal(padBatch(reviews, batches[0]!.indices, 52).tokens, 52, 'padding stops at the maximum length');
  for (const { indices, inputIds, lengths, tokens, labels } of batches)
    indices.forEach((index, row) => {
      const ids = reviews.ids[index]!;
      assert.deepEqual(inputIds.subarray(row * tokens, row * tokens + ids.length), ids);
      assert.equal(lengths[row], ids.length);
      assert.equal(labels[row], index % 2);
    });
  assert.deepEqual(order(0), order(0));
  assert.notDeepEqual(order(0), order(1));
  assert.notDeepEqual(order(0), order(0, 2));
});

test('grouping by length reduces padding to less than a third', () => {
  const padding = (groupByLength: boolean) =>
    trainingBatches(reviews, { batchSize: 8, seed: 1, epoch: 0, groupByLength }).reduce(
      (sum, { inputIds, lengths }) => sum + inputIds.length - lengths.reduce((a, b) => a + b),
      0,
    );
  assert.ok(padding(true) < padding(false) / 3, `${padding(true)} against ${padding(false)}`);
});

test('evaluation batches contain each row once, longest first', () => {
  const batches = evaluationBatches(reviews, 10);
  assert.equal(new Set(batches.flatMap(({ indices }) => indices)).size, 103);
  assert.deepEqual(
    batches.map(({ tokens }) => tokens),
    batches.map(({ tokens }) => tokens).sort((a, b) => b - a),
  );
});
