// Data sets on the mock hub: splits, class names, and samples that read only the byte ranges they need.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import {
  EntryNotFoundError,
  HubUnavailableError,
  OfflineError,
  RepositoryNotFoundError,
  ReviewsError,
} from '#lib/errors.js';
import type { Hub } from '#lib/hub/environment.js';
import { chooseSources } from '#lib/hub/sources.js';
import { fetchModel } from '#lib/model/fetch-model.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { splitReviews } from '#lib/reviews/split.js';
import { failure } from '../failure.js';
import { listParquet } from '../reviews/files.js';
import { distilbert, polarity, polarityParquet, polarityRows } from './repositories.js';
import { hubOf, startStandInHub, type StandInHub } from './stand-in.js';

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
let server: StandInHub;
let hub: Hub;
let fileBytes = 0;
before(async () => {
  const largeDataset = await polarity(60_000, 6_000);
  fileBytes = Object.values(largeDataset.files).reduce((sum, file) => sum + file.length, 0);
  const rows = await polarityRows(300);
  server = await startStandInHub([
    distilbert,
    largeDataset,
    {
      type: 'dataset',
      id: 'someone/plain',
      files: {
        'data/validation.parquet': polarityParquet(rows.slice(0, 100)),
        'data/training-0.parquet': polarityParquet(rows.slice(100)),
      },
    },
    {
      type: 'dataset',
      id: 'someone/emotions',
      files: {
        'README.md': Buffer.from(`---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: labels
    sequence:
      class_label:
        names:
          '0': admiration
          '1': anger
          '2': joy
---
`),
        'data/train.parquet': listParquet(Array.from({ length: 12 }, (_, i) => (i % 2 ? [2n, 0n] : []))),
      },
    },
    {
      type: 'dataset',
      id: 'someone/several',
      files: {
        'README.md': Buffer.from('no head'),
        'train.csv': Buffer.from('text,label\n'),
        'refs/convert/parquet:en/train/0000.parquet': polarityParquet(rows),
        'refs/convert/parquet:de/train/0000.parquet': polarityParquet(rows),
      },
    },
    {
      type: 'dataset',
      id: 'someone/unlabeled',
      files: {
        'test_suite/train-00000-of-00001.parquet': polarityParquet(rows.slice(0, 100)),
        'test_suite/unsupervised-00000-of-00001.parquet': polarityParquet(rows.map((row) => ({ ...row, label: -1 }))),
      },
    },
    {
      type: 'dataset',
      id: 'someone/folders',
      files: {
        'README.md': Buffer.from(
          '---\nconfigs:\n- config_name: en\n  data_dir: en\n- config_name: fr\n  data_dir: ./fr/\n- config_name: de\n  data_files: de.csv\n---\n',
        ),
        'en/train.parquet': polarityParquet(rows.slice(0, 100)),
        'fr/train.parquet': polarityParquet(rows.slice(100, 250)),
        'de.csv': Buffer.from('text,label\n'),
      },
    },
    { type: 'dataset', id: 'someone/images', files: { 'a.png': Buffer.from('x') } },
    { type: 'dataset', id: 'someone/broken', files: { 'train.parquet': polarityParquet(rows).subarray(0, 5000) } },
  ]);
});
let count = 0;
beforeEach(() => {
  server.faults.length = 0;
  server.requests.length = 0;
  hub = { ...hubOf(server, path.join(temporary, `cache-${count++}`)), timeout: 1 };
});
after(async () => {
  await server.close();
  fs.rmSync(temporary, { recursive: true });
});

test('a sample of a large data set includes rows of its test split and downloads only part of its bytes', async () => {
  const source = await openReviews('amazon_polarity', {}, hub);
  assert.deepEqual(source.labelNames, ['negative', 'positive']);
  assert.deepEqual(source.reading.textColumns, ['title', 'content']);
  assert.ok(source.files.every(({ from }) => from === 'hub, by ranges'));
  const reviews = await sampleReviews(source, { rows: 2000, seed: 1 });
  assert.equal(reviews.length, 2000);
  const splits = reviews.map(({ split }) => split);
  assert.deepEqual(
    [splits.filter((name) => name === 'train').length, splits.filter((name) => name === 'test').length],
    [1600, 400],
  );
  const received = server.requests.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.ok(received < fileBytes * 0.75, `${received} of ${fileBytes}`);
  // The rows come from the whole data set, not only from its beginning.
  const numbers = reviews.map(({ text }) => Number(/^Review (\d+)/.exec(text)![1]));
  const regions = new Set(numbers.map((number) => Math.floor(number / 6000)));
  assert.ok(regions.size >= 7, String([...regions]));
  assert.deepEqual(await sampleReviews(source, { rows: 2000, seed: 1 }), reviews);
  assert.notDeepEqual(await sampleReviews(source, { rows: 2000, seed: 2 }), reviews);
  const { train, validation, test } = splitReviews(reviews);
  assert.ok(test.every(({ split }) => split === 'test'));
  assert.ok(validation.every(({ split }) => split === 'train'));
  assert.equal(train.length + validation.length + test.length, 2000);
});

test('range requests are retried after the connection is cut', async () => {
  server.faults.push({ path: /resolve.*train.*parquet/, times: 3, cutAfter: 20_000 });
  const source = await openReviews('fancyzhx/amazon_polarity', {}, hub);
  assert.equal((await sampleReviews(source, { rows: 300 })).length, 300);
});

test('splits are derived from file names; an existing validation split is kept', async () => {
  const source = await openReviews('someone/plain', {}, hub);
  assert.deepEqual(Object.keys(source.splits).sort(), ['train', 'validation']);
  const { validation, test } = splitReviews(await sampleReviews(source));
  assert.equal(validation.length, 100);
  assert.ok(test.every(({ split }) => split === 'train'));
});

test('the class names of a list are those of the card', async () => {
  const source = await openReviews('someone/emotions', { problemType: 'multi_label_classification' }, hub);
  assert.deepEqual(source.labelNames, ['admiration', 'anger', 'joy']);
  const reviews = await sampleReviews(source, { stratify: false });
  assert.deepEqual([reviews[0]!.labels, reviews[1]!.labels], [[], [0, 2]]);
});

test('a data set without Parquet files uses their conversion; several configurations need a choice', async () => {
  await assert.rejects(
    openReviews('someone/several', {}, hub),
    failure(EntryNotFoundError, 'HUB_NO_CONFIGURATION', { name: 'someone/several', configuration: undefined }),
  );
  await assert.rejects(
    openReviews('someone/several', { datasetConfig: 'fr' }, hub),
    failure(EntryNotFoundError, 'HUB_NO_CONFIGURATION', { configuration: 'fr' }),
  );
  assert.equal((await sampleReviews(await openReviews('someone/several', { datasetConfig: 'en' }, hub))).length, 300);
  await assert.rejects(
    openReviews('someone/images', {}, hub),
    failure(EntryNotFoundError, 'HUB_NO_PARQUET', { name: 'someone/images' }),
  );
  await assert.rejects(
    openReviews('polarity', {}, hub),
    failure(RepositoryNotFoundError, 'HUB_REPOSITORY_NOT_FOUND', {
      name: 'polarity',
      suggestions: ['fancyzhx/amazon_polarity'],
    }),
  );
  await assert.rejects(
    openReviews('amazon_polarity', { textColumns: ['body'] }, hub),
    failure(ReviewsError, 'REVIEWS_NO_COLUMN', { column: 'body', columns: ['label', 'title', 'content'] }),
  );
  await assert.rejects(openReviews('someone/broken', {}, hub), failure(ReviewsError, 'REVIEWS_MALFORMED'));
});

test('rows of other splits are ignored; the name of a file takes precedence over that of its folder', async () => {
  const source = await openReviews('someone/unlabeled', {}, hub);
  assert.deepEqual(
    Object.entries(source.splits).map(([split, files]) => [split, files.map(({ rows }) => rows)]),
    [['train', [100]]],
  );
});

test('a configuration has only the files of its folder; one without Parquet files is an error', async () => {
  const rowsOf = async (datasetConfig: string) =>
    (await openReviews('someone/folders', { datasetConfig }, hub)).splits.train!.map(({ rows }) => rows);
  assert.deepEqual(await rowsOf('en'), [100]);
  assert.deepEqual(await rowsOf('fr'), [150]);
  await assert.rejects(rowsOf('de'), failure(EntryNotFoundError, 'HUB_NO_PARQUET'));
});

test('a partially cached data set does not count as complete', async () => {
  server.faults.push({ path: /train-00001/, status: 500 });
  await assert.rejects(
    openReviews('amazon_polarity', { streaming: true }, hub),
    failure(HubUnavailableError, 'HUB_UNAVAILABLE', { status: 500 }),
  );
  const offline = { ...hub, offline: true };
  await assert.rejects(
    openReviews('amazon_polarity', { streaming: true }, offline),
    failure(OfflineError, 'HUB_OFFLINE'),
  );
  assert.equal((await chooseSources({ source: 'auto', model: 'embedded' }, { hub: offline })).dataset, 'embedded');
  // The state in which Python leaves the cache after it has downloaded one of the files.
  const repository = path.join(hub.cacheFolder, 'datasets--amazon_polarity');
  fs.mkdirSync(path.join(repository, 'refs'), { recursive: true });
  fs.writeFileSync(path.join(repository, 'refs/main'), fs.readdirSync(path.join(repository, 'snapshots'))[0]!);
  await assert.rejects(
    openReviews('amazon_polarity', {}, offline),
    failure(OfflineError, 'HUB_OFFLINE', { name: 'amazon_polarity' }),
  );
  assert.equal((await chooseSources({ source: 'auto', model: 'embedded' }, { hub: offline })).dataset, 'embedded');
});

test('a completely downloaded data set is read from the cache, also offline', async () => {
  const source = await openReviews('amazon_polarity', { streaming: true }, hub);
  assert.ok(source.files.every(({ from }) => from === 'hub'));
  const offline = await openReviews('amazon_polarity', {}, { ...hub, offline: true });
  assert.ok(offline.files.every(({ from }) => from === 'cache'));
  assert.deepEqual(await sampleReviews(offline, { rows: 500 }), await sampleReviews(source, { rows: 500 }));
});

test('auto selects the hub if it responds or its files are cached, else the embedded pair', async () => {
  const offline = { ...hub, offline: true };
  const online = await chooseSources({ source: 'auto' }, { hub });
  assert.deepEqual(
    [online.model, online.dataset, online.fallback],
    ['distilbert-base-uncased', 'amazon_polarity', false],
  );
  assert.match(online.banner, /^This runs on distilbert-base-uncased and amazon_polarity from http:\/\/127/);
  const embedded = await chooseSources({ source: 'auto' }, { hub: offline });
  assert.deepEqual([embedded.model, embedded.dataset, embedded.fallback], ['embedded', 'embedded', true]);
  assert.match(
    embedded.banner,
    /HF_HUB_OFFLINE is set, and distilbert-base-uncased and amazon_polarity are not in the cache\. This runs on the embedded model and reviews instead\./,
  );
  const unavailable = await startStandInHub([]);
  unavailable.faults.push({ path: /./, status: 503 });
  assert.equal(
    (await chooseSources({ source: 'auto' }, { hub: { ...hub, endpoint: unavailable.endpoint } })).fallback,
    true,
  );
  await unavailable.close();
  await fetchModel('distilbert-base-uncased', {}, hub);
  await openReviews('amazon_polarity', { streaming: true }, hub);
  assert.equal((await chooseSources({ source: 'auto' }, { hub: offline })).model, 'distilbert-base-uncased');
  const specified = await chooseSources({ source: 'auto', model: 'a/b', dataset: 'c.csv' }, { hub: offline });
  assert.deepEqual([specified.model, specified.dataset], ['a/b', 'c.csv']);
  const modelOnly = await chooseSources({ source: 'embedded', model: 'a/b' }, { hub: offline });
  assert.deepEqual([modelOnly.model, modelOnly.dataset], ['a/b', 'embedded']);
});
