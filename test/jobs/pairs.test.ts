/** Sentence pairs from the file to the prediction: reading, training, streaming, inspection, scoring and the API. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ReviewStream } from '#lib/batching/stream.js';
import { RequestError, ReviewsError, SettingsError } from '#lib/errors.js';
import { readPreprocessing } from '#lib/model/preprocessing.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { findDuplicates } from '#lib/quality/duplicates.js';
import { findNearDuplicates } from '#lib/quality/near-duplicates.js';
import { textNotes } from '#lib/quality/text-notes.js';
import { loadReviews } from '#lib/reviews/load-reviews.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { createServer } from '#lib/serving/server.js';
import { openSentimentModel, type SentimentModel } from '#lib/serving/sentiment.js';
import { fixtures } from '../checkout.js';
import { pairFlags, tunebook, writePairsCsv } from '../cli/command.js';
import { assertFailed, failure } from '../failure.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-pairs-'));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const columns = { textColumns: ['question'], textPairColumn: 'answer', labelColumn: 'fits' };
const model = path.join(fixtures, 'bert');
const finetune = (run: string, ...more: string[]) => [
  ...['finetune', '--dataset', inFolder('pairs.csv'), ...pairFlags, '--model', model, '--run-folder', inFolder(run)],
  ...['--max-length', '24', '--max-steps', '4', '--batch-size', '8', ...more],
];
let scoring: SentimentModel;

before(async () => {
  writePairsCsv(inFolder('pairs.csv'));
  const trained = await tunebook(finetune('run'));
  assert.equal(trained.status, 0, trained.stderr);
  assert.match(trained.stdout, /text: 'question'; second text: 'answer'; label: 'fits'\./);
  const exported = await tunebook(['export', inFolder('run')]);
  assert.equal(exported.status, 0, exported.stderr);
  scoring = await openSentimentModel(inFolder('run/model'));
});
after(async () => {
  await scoring.dispose();
  fs.rmSync(folder, { recursive: true });
});

test('pairs are read, and copies are those of both texts', async () => {
  const source = await openReviews(inFolder('pairs.csv'), columns);
  const reviews = await sampleReviews(source);
  assert.deepEqual([reviews.length, source.dropped.emptyText], [120, 2]);
  assert.ok(reviews.some(({ text, pair }) => text === 'is the seller good' && pair === 'the product is good at 1'));
  assert.deepEqual(findDuplicates(reviews).texts, []);
  const first = { text: 'a', pair: 'b c', label: 0 };
  const copies = findDuplicates([first, { text: 'A ', pair: 'B  c', label: 1 }, { text: 'a b', pair: 'c', label: 0 }]);
  assert.deepEqual(copies.texts, [{ text: 'a / b c', rows: 2, labels: [0, 1] }]);
  const long = { text: 'one two three four', pair: 'five six seven eight', label: 0 };
  const near = (pair: string) =>
    findNearDuplicates({ train: [long], validation: [{ ...long, pair }], test: [] }).length;
  assert.deepEqual([near('five, six seven eight'), near('nine ten eleven twelve')], [1, 0]);
});

test('truncation counts the tokens of both texts', () => {
  const classifier = TextClassifier.fromFolder(model);
  const { tokenizer } = classifier;
  const pair = { text: 'the product is good', pair: 'the seller is good', label: 0 };
  assert.equal(tokenizer.countTokens(pair), tokenizer.countTokens(pair.text) + tokenizer.countTokens(pair.pair) - 1);
  const [note] = textNotes([pair], classifier.encode([pair], 8).ids, tokenizer, 8);
  assert.match(note!, /^Truncated to 8 tokens .*: 1 of 1 texts/);
  classifier.dispose();
});

test('named columns: a column for two purposes and a missing one are errors; the pair is no text by its name', async () => {
  const open = (options: object) => openReviews(inFolder('pairs.csv'), { ...columns, ...options });
  for (const textPairColumn of ['question', 'Question', 'fits'])
    await assert.rejects(open({ textPairColumn }), failure(SettingsError, 'SETTING_CONFLICT'));
  await assert.rejects(
    open({ textPairColumn: 'reply' }),
    failure(ReviewsError, 'REVIEWS_NO_COLUMN', { column: 'reply' }),
  );
  fs.writeFileSync(inFolder('usual.csv'), 'sentence,review,label\na,b,0\nc,d,1\n');
  const { reading } = await openReviews(inFolder('usual.csv'), { textPairColumn: 'review' });
  assert.deepEqual([reading.textColumns, reading.textPairColumn], [['sentence'], 'review']);
  const adapted = await tunebook(['adapt', '--dataset', inFolder('pairs.csv'), '--model', model], {
    env: { TUNEBOOK_TEXT_PAIR_COLUMN: 'answer' },
  });
  assertFailed(adapted, 2, 'SettingsError', 'SETTING_CONFLICT', 'textPairColumn', 'environment');
});

test('a stream has the tokens and token types that encoding in memory has', async () => {
  const { source, ...split } = await loadReviews(inFolder('pairs.csv'), { ...columns, streaming: true });
  const classifier = TextClassifier.fromFolder(model);
  const stream = new ReviewStream(source, {
    model: classifier,
    maxLength: 24,
    workers: 1,
    without: [split.validation, split.test],
  });
  const streamed = new Set<string>();
  for await (const { inputIds, offsets, pairStarts, next } of stream.batches({ batchSize: 8, seed: 1 })) {
    pairStarts!.forEach((start, row) =>
      streamed.add(`${inputIds.slice(offsets[row], offsets[row + 1]).join()} ${start}`),
    );
    if (next.epoch > 0) break;
  }
  await stream.dispose();
  const { ids, pairStarts } = classifier.encode(split.train, 24);
  assert.deepEqual(streamed, new Set(ids.map((each, row) => `${each.join()} ${pairStarts![row]}`)));
  assert.ok(pairStarts!.every((start, row) => start > 1 && start < ids[row]!.length));
  classifier.dispose();
});

test('a run stores the column of the pair; the exported model predicts as TensorFlow does', async () => {
  assert.equal(readPreprocessing(inFolder('run/model'))!.reading!.textPairColumn, 'answer');
  const classifier = TextClassifier.fromFolder(inFolder('run/model'), { precision: 'float32' });
  const pairs = [
    { text: 'is the product good', pair: 'the product is good' },
    { text: 'is the product good', pair: 'the seller is good at 3' },
  ];
  const expected = classifier.predict(pairs);
  classifier.dispose();
  const predicted = await scoring.predictSentiment(pairs);
  assert.deepEqual(
    predicted.map(({ label }) => label),
    expected.map(({ label }) => label),
  );
  predicted.forEach(({ score }, i) => assert.ok(Math.abs(score - expected[i]!.score) < 1e-4));
  assert.ok(Math.abs(predicted[0]!.score - predicted[1]!.score) > 1e-6);
  await assert.rejects(scoring.predictSentiment('a'), failure(RequestError, 'REQUEST_PAIR', { takesPairs: true }));
});

test('tunebook score: files with the pair column of training, and texts with --text-pair', async () => {
  const score = (...more: string[]) => tunebook(['score', '--model', inFolder('run'), ...more]);
  const scored = await score('--file', inFolder('pairs.csv'), '--out', inFolder('scored.jsonl'), '--json');
  assert.equal(scored.status, 0, scored.stderr);
  const summary = JSON.parse(scored.stdout) as Record<string, unknown>;
  assert.deepEqual(
    [summary['rows'], summary['withoutText'], summary['labeled'], summary['textPairColumn']],
    [122, 2, 120, 'answer'],
  );
  const rows = fs.readFileSync(inFolder('scored.jsonl'), 'utf8').trim().split('\n');
  const row = JSON.parse(rows[5]!) as Record<string, string | number>;
  const one = await score('--json', '--text-pair', String(row['answer']), String(row['question']));
  assert.equal(one.status, 0, one.stderr);
  const [prediction] = JSON.parse(one.stdout) as { label: string; score: number }[];
  assert.equal(prediction!.label, row['predicted_label']);
  assert.ok(Math.abs(prediction!.score - Number(row['predicted_score'])) < 1e-5);
  assertFailed(await score('is it good'), 2, 'SettingsError', 'SETTING_MISSING', '--text-pair');
  const both = await score('--file', inFolder('pairs.csv'), '--out', inFolder('b.csv'), '--text-pair', 'x');
  assertFailed(both, 2, 'SettingsError', 'SETTING_CONFLICT', '--text-pair-column');
  fs.writeFileSync(inFolder('single.csv'), 'question\nis it good\n');
  const lacking = await score('--file', inFolder('single.csv'), '--out', inFolder('c.csv'));
  assertFailed(lacking, 3, 'ReviewsError', 'REVIEWS_NO_COLUMN', "'answer'");
  assert.ok(!fs.existsSync(inFolder('c.csv')));
});

test('the API accepts pairs in every protocol, and rejects single texts for a model of pairs and the reverse', async () => {
  const [text, pair] = ['is the product good', 'the product is good'];
  const { label, score } = await scoring.predictSentiment({ text, pair });
  const near = (actual: unknown) => Math.abs((actual as number) - score) < 2e-6;
  const single: SentimentModel = await openSingle();
  const requestsOf = (more: boolean): [string, object][] => [
    ['/model', { data: { sentence: text, ...(more && { pair }) } }],
    ['/predict', { inputs: more ? { text, text_pair: pair } : text }],
    ['/invocations', { dataframe_records: [{ text, ...(more && { text_pair: pair }) }] }],
    [
      '/v2/models/sentiment/infer',
      {
        inputs: [
          { name: 'text', shape: [1], datatype: 'BYTES', data: [text] },
          ...(more ? [{ name: 'text_pair', shape: [1], datatype: 'BYTES', data: [pair] }] : []),
        ],
      },
    ],
  ];
  const { app } = await createServer(scoring, { tunebook: '0' });
  const post = async (server: typeof app, url: string, payload: object) => {
    const response = await server.inject({ method: 'POST', url, payload });
    return { status: response.statusCode, text: response.body, body: response.json<Record<string, unknown>>() };
  };
  const scores = [];
  for (const [url, payload] of requestsOf(true)) {
    const response = await post(app, url, payload);
    assert.equal(response.status, 200, response.text);
    assert.ok(response.text.includes(`"${label}"`));
    scores.push(...(response.text.match(/0\.\d{3,}/g) ?? []).map(Number).filter(near).slice(0, 1));
  }
  assert.equal(scores.length, 4, 'every protocol has the score of the pair');
  const records = [{ question: text, answer: pair, id: 1 }];
  const named = await post(app, '/invocations', { dataframe_records: records });
  const [{ score: namedScore }] = named.body['predictions'] as [{ score: number }];
  assert.ok(near(namedScore), 'the columns of training');
  for (const payload of [{ data: { sentence: [text, text], pair } }, { data: { sentence: text, pair: ' ' } }])
    assert.equal((await post(app, '/model', payload)).body['code'], 'REQUEST_INVALID');
  const { app: other } = await createServer(single, { tunebook: '0' });
  for (const [server, requests] of [
    [app, requestsOf(false)],
    [other, requestsOf(true)],
  ] as const)
    for (const [url, payload] of requests) {
      const { status, body } = await post(server, url, payload);
      assert.deepEqual([status, body['code']], [400, 'REQUEST_PAIR'], url);
    }
  const metadata = (await app.inject('/v2/models/sentiment')).json<{ inputs: { name: string }[] }>();
  assert.deepEqual(
    metadata.inputs.map(({ name }) => name),
    ['text', 'text_pair'],
  );
  await app.close();
  await other.close();
  await single.dispose();
});

/** The model as if it was trained on single texts. */
async function openSingle(): Promise<SentimentModel> {
  fs.cpSync(inFolder('run/model'), inFolder('single'), { recursive: true });
  const file = inFolder('single/tunebook.json');
  const content = JSON.parse(fs.readFileSync(file, 'utf8')) as { reading: { textPairColumn?: string } };
  delete content.reading.textPairColumn;
  fs.writeFileSync(file, JSON.stringify(content));
  return openSentimentModel(inFolder('single'));
}
