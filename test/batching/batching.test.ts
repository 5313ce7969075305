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
import {
  evaluationBatches,
  packBatch,
  packTexts,
  rowsOfRank,
  selectTexts,
  type EncodedReviews,
} from '#lib/model/batch.js';
import { roundTokens } from '#lib/model/packed-texts.js';

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
  assert.deepEqual([...packBatch(reviews, [1], 8).offsets], [0, 3]);
  assert.throws(
    () => packBatch(reviews, [0, 1], 8),
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

test('an epoch contains each row once, in its own order, packed without padding', () => {
  const batches = trainingBatches(reviews, { batchSize: 8, seed: 1, epoch: 0 });
  assert.deepEqual(
    batches.flatMap(({ indices }) => indices).sort((a, b) => a - b),
    Array.from({ length: 103 }, (_, i) => i),
  );
  assert.deepEqual(
    batches.map(({ labels }) => labels.length),
    [...new Array<number>(12).fill(8), 7],
  );
  for (const batch of batches) {
    assert.deepEqual(
      [...batch.inputIds],
      batch.indices.flatMap((index) => [...reviews.ids[index]!]),
    );
    batch.indices.forEach((index, row) => {
      assert.deepEqual(selectTexts(batch, [row]).inputIds, reviews.ids[index]);
      assert.equal(batch.labels[row], index % 2);
    });
  }
  assert.deepEqual(order(0), order(0));
  assert.notDeepEqual(order(0), order(1));
  assert.notDeepEqual(order(0), order(0, 2));
});

test('evaluation batches contain the rows in their order', () => {
  const batches = evaluationBatches(reviews, 10);
  assert.deepEqual(
    batches.flatMap(({ indices }) => indices),
    Array.from({ length: 103 }, (_, i) => i),
  );
  assert.equal(batches.at(-1)!.labels.length, 3);
});

test('ranks divide a batch into parts of about as many tokens and texts', () => {
  const [batch] = trainingBatches(reviews, { batchSize: 32, seed: 1, epoch: 0 });
  for (const ranks of [2, 3, 5]) {
    const rows = Array.from({ length: ranks }, (_, rank) => rowsOfRank(batch!, rank, ranks));
    assert.deepEqual(
      rows.flat().sort((a, b) => a - b),
      Array.from({ length: 32 }, (_, row) => row),
    );
    const tokens = rows.map((part) => selectTexts(batch!, part).inputIds.length);
    const longest = Math.max(...batch!.indices.map((index) => reviews.ids[index]!.length));
    assert.ok(Math.max(...tokens) - Math.min(...tokens) <= longest, tokens.join());
    assert.ok(rows.every((part) => part.length === Math.floor(32 / ranks) || part.length === Math.ceil(32 / ranks)));
  }
  assert.deepEqual(rowsOfRank(packTexts([Int32Array.of(1)]), 1, 2), []);
});

test('the tokens of batches are rounded up to few sizes, by at most an eighth', () => {
  const sizes = (layers: { anyShape: boolean }, from: number, to: number) =>
    new Set(Array.from({ length: to - from + 1 }, (_, i) => roundTokens(from + i, layers)));
  // A graph per size: eight sizes from 1,025 to 2,048 tokens.
  assert.deepEqual(
    [...sizes({ anyShape: false }, 1025, 2048)],
    Array.from({ length: 8 }, (_, i) => 1152 + 128 * i),
  );
  assert.equal(roundTokens(1, { anyShape: false }), 16);
  assert.deepEqual(
    [1, 16, 17, 1025].map((tokens) => roundTokens(tokens, { anyShape: true })),
    [16, 16, 32, 1040],
  );
});
