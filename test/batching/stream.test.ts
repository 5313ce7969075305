/**
 * Streams of rows from every file format: each epoch contains each row once, in another order, and can be resumed at
 * any position.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ReviewsError } from '#lib/errors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { parseConfig } from '#lib/model/config.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { selectTexts } from '#lib/model/batch.js';
import { ReviewStream, type StreamedBatch, type StreamOptions, type StreamPosition } from '#lib/batching/stream.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { readModelConfig } from '#lib/model/config.js';
import { readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { useSettingForm } from '#lib/settings/setting-text.js';
import { appendDownsampled, type TrainingRecord } from '#lib/training/training-record.js';
import { Trainer } from '#lib/training/trainer.js';
import { failure } from '../failure.js';
import { embeddedModel } from '../checkout.js';
import { polarityParquet } from '../hub/repositories.js';
import { startStandInHub } from '../hub/stand-in.js';
import type { ReviewSource } from '#lib/reviews/review-source.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
after(() => fs.rmSync(folder, { recursive: true }));
const tokenizer = loadTokenizer(embeddedModel);
const embedded = {
  config: readModelConfig(embeddedModel),
  tokenizerFiles: readTokenizer(embeddedModel),
  maxTokens: tokenizer.maxTokens,
};

const rows = Array.from({ length: 3500 }, (_, i) => ({
  title: `number ${i}`,
  content: 'very '.repeat((i * 7) % 40) + (i % 2 ? 'good' : 'bad'),
  label: i % 2,
}));
const texts = rows.map(({ title, content }) => `${title}. ${content}`);
/** Row numbers by the tokens of their texts. */
const numberOf = new Map(texts.map((text, i) => [tokenizer.encode(text, 64).join(), i]));

const write = (name: string, content: string | Buffer) => {
  fs.writeFileSync(path.join(folder, name), content);
  return path.join(folder, name);
};
const parquet = write('rows.parquet', polarityParquet(rows, 400));
const files = {
  Parquet: parquet,
  'Parquet in one row group': write('one.parquet', polarityParquet(rows, 1e6)),
  'JSON lines': write('rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n')),
  CSV: write(
    'rows.csv',
    `title,content,label\n${rows.map(({ title, content, label }) => `"${title}",${content},${label}`).join('\n')}\n`,
  ),
};

const options = { batchSize: 16, seed: 1 };
function streamOf(source: ReviewSource, overrides: Partial<StreamOptions> = {}) {
  const stream = new ReviewStream(source, {
    model: embedded,
    maxLength: 64,
    blockRows: 1000,
    workers: 2,
    ...overrides,
  });
  after(() => stream.dispose());
  return stream;
}

/** Batches from a position until epoch `end` begins. */
async function collect(stream: ReviewStream, end: number, from?: StreamPosition, seed = 1): Promise<StreamedBatch[]> {
  const batches: StreamedBatch[] = [];
  for await (const batch of stream.batches({ ...options, seed }, from)) {
    batches.push(batch);
    if (batch.next.epoch >= end) break;
  }
  return batches;
}
const numbersOf = (batches: StreamedBatch[]) =>
  batches.flatMap((batch) =>
    Array.from(batch.labels, (label, row) => {
      const number = numberOf.get(selectTexts(batch, [row]).inputIds.join())!;
      assert.equal(label, number % 2);
      return number;
    }),
  );
const sorted = (numbers: number[]) => [...numbers].sort((a, b) => a - b);
const all = texts.map((_, i) => i);

for (const [kind, file] of Object.entries(files))
  test(`${kind}: an epoch contains each row once, in an order that depends on epoch and seed`, async () => {
    const source = await openReviews(file);
    const stream = streamOf(source);
    assert.equal(stream.rows, rows.length);
    const batches = await collect(stream, 2);
    const split = batches.findIndex(({ next }) => next.epoch === 1) + 1;
    const [first, second] = [numbersOf(batches.slice(0, split)), numbersOf(batches.slice(split))];
    assert.deepEqual(sorted(first), all);
    assert.deepEqual(sorted(second), all);
    assert.notDeepEqual(first, second);
    assert.deepEqual(numbersOf(await collect(stream, 1)), first);
    assert.notDeepEqual(numbersOf(await collect(stream, 1, undefined, 2)), first);
    await stream.dispose();
  });

test('a stream resumed at any position continues with the same batches', async () => {
  const stream = streamOf(await openReviews(parquet));
  const batches = await collect(stream, 2);
  for (const index of [0, 1, 62, 63, 64, 150, batches.length - 2]) {
    const resumed = await collect(stream, 2, batches[index]!.next);
    assert.deepEqual(resumed, batches.slice(index + 1), `after batch ${index}`);
  }
});

test('held-out reviews are excluded, even if their copies differ in case and spaces', async () => {
  const heldOut = [0, 5, 900].map((i) => ({ text: `  ${texts[i]!.toUpperCase()}`, label: 0 }));
  const stream = streamOf(await openReviews(parquet), { without: [heldOut] });
  assert.deepEqual(
    sorted(numbersOf(await collect(stream, 1))),
    all.filter((i) => ![0, 5, 900].includes(i)),
  );
  assert.equal(stream.heldOut, 3);
});

test('rows are streamed from the hub by range requests, and interrupted downloads are retried', async () => {
  const hub = await startStandInHub([
    { type: 'dataset', id: 'a/b', files: { 'train.parquet': polarityParquet(rows, 400) } },
  ]);
  const environment = { ...process.env };
  Object.assign(process.env, {
    HF_ENDPOINT: hub.endpoint,
    HF_HUB_CACHE: path.join(folder, 'cache'),
    HF_HUB_OFFLINE: '',
  });
  const source = await openReviews('a/b');
  assert.equal(source.files[0]!.from, 'hub, by ranges');
  hub.faults.push({ path: /parquet/, times: 2, cutAfter: 3000 });
  const stream = streamOf(source);
  assert.deepEqual(sorted(numbersOf(await collect(stream, 1))), all);
  await stream.dispose();
  await hub.close();
  for (const name of ['HF_ENDPOINT', 'HF_HUB_CACHE', 'HF_HUB_OFFLINE']) delete process.env[name];
  Object.assign(process.env, environment);
});

test('a damaged file, an unknown label in a late row and a source that cannot be streamed are errors', async () => {
  const bytes = polarityParquet(rows, 400);
  const source = await openReviews(write('broken.parquet', bytes));
  fs.writeFileSync(
    path.join(folder, 'broken.parquet'),
    Buffer.concat([bytes.subarray(0, 20_000), Buffer.alloc(1000, 255), bytes.subarray(21_000)]),
  );
  await assert.rejects(collect(streamOf(source), 1), failure(ReviewsError, 'REVIEWS_MALFORMED'));
  const lateLabel = await openReviews(
    write('late.parquet', polarityParquet(rows.map((row, i) => ({ ...row, label: i === 3000 ? 7 : row.label })))),
  );
  useSettingForm('flag');
  await assert.rejects(collect(streamOf(lateLabel), 1), (error: Error) => {
    assert.match(error.message, /--label-mapping/, 'the workers name settings as this process does');
    return failure(ReviewsError, 'REVIEWS_UNKNOWN_LABEL', {
      label: '7',
      column: 'label',
      labels: ['negative', 'positive'],
    })(error);
  });
  useSettingForm('code');
  const reviews = await openReviews('embedded');
  assert.throws(() => new ReviewStream(reviews, { model: embedded }), failure(ReviewsError, 'REVIEWS_NOT_STREAMABLE'));
  await assert.rejects(openReviews('embedded', { streaming: true }), failure(ReviewsError, 'REVIEWS_NOT_STREAMABLE'));
});

test('training on a stream lowers the loss and reports epochs and the data wait', async () => {
  const stream = streamOf(await openReviews(parquet));
  const config = parseConfig({
    vocab_size: 30522,
    dim: 16,
    hidden_dim: 32,
    n_layers: 1,
    n_heads: 2,
    dropout: 0,
    max_position_embeddings: 64,
  });
  const model = TextClassifier.create(config, { precision: 'float32' });
  const result = await new Trainer(model, { epochs: 2, learningRate: 5e-3, seed: 1 }).train(stream);
  assert.equal(result.records.length, 2 * Math.ceil(rows.length / 16));
  const mean = (list: { loss: number }[]) => list.reduce((sum, { loss }) => sum + loss, 0) / list.length;
  assert.ok(mean(result.records.slice(-20)) < 0.2, String(mean(result.records.slice(-20))));
  assert.ok(result.dataWaitFraction >= 0 && result.dataWaitFraction < 1);
  assert.ok(Math.abs(result.records.at(-1)!.epoch - 2) < 1e-9);
  model.dispose();
});

test('the records of a long run are downsampled, and all evaluations are kept', () => {
  const records: TrainingRecord[] = [];
  for (let step = 1; step <= 50_000; step++)
    appendDownsampled(records, { step, ...(step % 5000 === 1 && { evalLoss: 0.5 }) } as TrainingRecord);
  assert.ok(records.length < 10_000 && records.length > 4_000);
  assert.equal(records.filter(({ evalLoss }) => evalLoss).length, 10);
  assert.equal(records.at(-1)!.step, 50_000);
});
