// Downloads from a mock hub with the real routes and files: every failure ends with the correct file or an error.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  CacheError,
  EntryNotFoundError,
  GatedRepoError,
  HubResponseError,
  HubUnavailableError,
  IntegrityError,
  NoWeightsError,
  OfflineError,
  RepositoryNotFoundError,
  RevisionNotFoundError,
  TokenError,
} from '#lib/errors.js';
import { hubOfEnvironment, type Hub } from '#lib/hub/environment.js';
import { fetchModel } from '#lib/model/fetch-model.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { requestOnce } from '#lib/hub/request.js';
import { failure } from '../failure.js';
import { embeddedModel, fixtures } from '../checkout.js';
import { hubOf, standInToken, startStandInHub, type StandInHub } from './stand-in.js';

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
const weights = randomBytes(3_000_000);
const embeddedFile = (name: string) => path.join(embeddedModel, name);
const model = {
  'config.json': embeddedFile('config.json'),
  'tokenizer.json': embeddedFile('tokenizer.json'),
  'tokenizer_config.json': embeddedFile('tokenizer_config.json'),
  'tunebook.json': Buffer.from('{ "formatVersion": 1, "maxLength": 16 }'),
  'calibration.json': Buffer.from('{ "formatVersion": 1, "temperature": 2, "threshold": 0.4, "rows": 100 }'),
  'model.safetensors': weights,
  'pytorch_model.bin': randomBytes(1000),
  'onnx/model.onnx': randomBytes(1000),
};
/** Like microsoft/deberta-v3-base, without tokenizer.json. */
const deberta = Object.fromEntries(
  ['config.json', 'model.safetensors', 'spm.model', 'tokenizer_config.json'].map((name) => [
    name,
    path.join(fixtures, 'deberta-v2', name),
  ]),
);
let server: StandInHub;
/** An address without a server. */
let closedEndpoint: string;
let hub: Hub;

before(async () => {
  const closed = await startStandInHub([]);
  closedEndpoint = closed.endpoint;
  await closed.close();
  server = await startStandInHub([
    { type: 'model', id: 'distilbert/distilbert-base-uncased', aliases: ['distilbert-base-uncased'], files: model },
    { type: 'model', id: 'someone/gated', files: model, access: 'gated' },
    { type: 'model', id: 'someone/private', files: model, access: 'private' },
    {
      type: 'model',
      id: 'someone/old',
      files: {
        'config.json': embeddedFile('config.json'),
        'vocab.txt': Buffer.from('[PAD]\n'),
        'pytorch_model.bin': randomBytes(10),
        'refs/pr/7:config.json': embeddedFile('config.json'),
        'refs/pr/7:model.safetensors': weights,
      },
      discussions: [{ num: 7, title: 'Adding `safetensors` variant of this model', author: 'SFconvertbot' }],
    },
    {
      type: 'model',
      id: 'someone/sharded',
      files: {
        ...Object.fromEntries(Object.entries(model).filter(([name]) => name !== 'model.safetensors')),
        'model.safetensors.index.json': Buffer.from(
          JSON.stringify({
            weight_map: {
              a: 'model-00001-of-00002.safetensors',
              b: 'model-00002-of-00002.safetensors',
              c: 'model-00001-of-00002.safetensors',
            },
          }),
        ),
        'model-00001-of-00002.safetensors': randomBytes(100_000),
        'model-00002-of-00002.safetensors': randomBytes(90_000),
      },
    },
    { type: 'model', id: 'someone/deberta', files: deberta },
    { type: 'model', id: 'someone/nothing', files: { 'README.md': Buffer.from('# Nothing') } },
  ]);
});
let count = 0;
beforeEach(() => {
  server.faults.length = 0;
  server.requests.length = 0;
  delete server.rate;
  hub = hubOf(server, path.join(temporary, `cache-${count++}`));
});
after(async () => {
  await server.close();
  fs.rmSync(temporary, { recursive: true });
});

const name = 'distilbert-base-uncased';
const storedHash = (folder: string) =>
  createHash('sha256')
    .update(fs.readFileSync(path.join(folder, 'model.safetensors')))
    .digest('hex');
const weightsHash = createHash('sha256').update(weights).digest('hex');
/** Asserts that the folder `blobs` contains only complete files, named by their hash. */
function checkCache(): void {
  for (const repository of fs.existsSync(hub.cacheFolder) ? fs.readdirSync(hub.cacheFolder) : []) {
    const blobs = path.join(hub.cacheFolder, repository, 'blobs');
    for (const blob of fs.existsSync(blobs) ? fs.readdirSync(blobs) : []) {
      if (blob.includes('tunebook')) continue;
      const bytes = fs.readFileSync(path.join(blobs, blob));
      const hash = blob.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${bytes.length}\0`);
      assert.equal(hash.update(bytes).digest('hex'), blob);
    }
  }
}

test('only the needed files of a model are downloaded to the shared cache, and only once', async () => {
  const progress: number[] = [];
  const fetched = await fetchModel(
    name,
    { onProgress: ({ file, received }) => file === 'model.safetensors' && progress.push(received) },
    hub,
  );
  assert.deepEqual(
    fetched.files.map(({ file, from }) => `${file} ${from}`),
    [
      'config.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'tunebook.json',
      'calibration.json',
      'model.safetensors',
    ].map((file) => `${file} hub`),
  );
  assert.match(fetched.name, /^distilbert\/distilbert-base-uncased on the hub, commit [0-9a-f]{7}$/);
  assert.equal(storedHash(fetched.folder), weightsHash);
  assert.ok(
    progress.length > 10 &&
      progress.every((value, i) => i === 0 || value >= progress[i - 1]!) &&
      progress.at(-1) === weights.length,
  );
  const repository = path.join(hub.cacheFolder, 'models--distilbert-base-uncased');
  assert.equal(
    fetched.folder,
    path.join(repository, 'snapshots', fs.readFileSync(path.join(repository, 'refs/main'), 'utf8')),
  );
  assert.equal(fs.readlinkSync(path.join(fetched.folder, 'model.safetensors')), `../../blobs/${weightsHash}`);
  checkCache();
  const before = server.requests.length;
  const again = await fetchModel(name, {}, hub);
  assert.ok(again.files.every(({ from }) => from === 'cache'));
  assert.ok(server.requests.slice(before).every(({ path }) => path.startsWith('/api/')));
});

test('offline, a cached model loads by its old and its new name; otherwise the error lists the options', async () => {
  await assert.rejects(fetchModel(name, {}, { ...hub, offline: true }), failure(OfflineError, 'HUB_OFFLINE', { name }));
  await fetchModel('distilbert/distilbert-base-uncased', {}, hub);
  assert.equal((await fetchModel(name, {}, { ...hub, offline: true })).files.length, 6);
  // An unreachable hub is treated like offline mode.
  assert.equal((await fetchModel(name, {}, { ...hub, endpoint: closedEndpoint })).files.length, 6);
  await assert.rejects(
    fetchModel('someone/else', {}, { ...hub, endpoint: closedEndpoint }),
    failure(OfflineError, 'HUB_UNREACHABLE', { endpoint: closedEndpoint, systemCode: 'ECONNREFUSED' }),
  );
});

test('the error for an unknown name suggests similar names', async () => {
  await assert.rejects(
    fetchModel('distilbert-base-uncase', {}, hub),
    failure(RepositoryNotFoundError, 'HUB_REPOSITORY_NOT_FOUND', {
      suggestions: ['distilbert/distilbert-base-uncased'],
    }),
  );
  await assert.rejects(
    fetchModel('qqqq', {}, hub),
    failure(RepositoryNotFoundError, 'HUB_REPOSITORY_NOT_FOUND', { type: 'model', name: 'qqqq', suggestions: [] }),
  );
  await assert.rejects(
    fetchModel(`${name}@v9`, {}, hub),
    failure(RevisionNotFoundError, 'HUB_REVISION_NOT_FOUND', { revision: 'v9' }),
  );
});

test('gated and private models need a token', async () => {
  await assert.rejects(
    fetchModel('someone/gated', {}, hub),
    failure(GatedRepoError, 'HUB_REPOSITORY_GATED', { name: 'someone/gated' }),
  );
  await assert.rejects(
    fetchModel('someone/private', {}, hub),
    failure(RepositoryNotFoundError, 'HUB_REPOSITORY_NOT_FOUND', { name: 'someone/private' }),
  );
  await assert.rejects(
    fetchModel('someone/private', {}, { ...hub, token: 'hf_wrong' }),
    failure(TokenError, 'HUB_TOKEN_INVALID'),
  );
  for (const id of ['someone/gated', 'someone/private'])
    assert.equal(storedHash((await fetchModel(id, {}, { ...hub, token: standInToken })).folder), weightsHash);
});

test('weights: shards by their index; without safetensors, an error names the converted branch', async () => {
  const { files } = await fetchModel('someone/sharded', {}, hub);
  assert.deepEqual(
    files.map(({ file }) => file).filter((file) => file.includes('safetensors')),
    ['model.safetensors.index.json', 'model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
  );
  await assert.rejects(
    fetchModel('someone/old', {}, hub),
    failure(NoWeightsError, 'HUB_NO_WEIGHTS', { name: 'someone/old', branch: 'refs/pr/7' }),
  );
  assert.equal(storedHash((await fetchModel('someone/old@refs/pr/7', {}, hub)).folder), weightsHash);
  await assert.rejects(
    fetchModel('someone/nothing', {}, hub),
    failure(EntryNotFoundError, 'HUB_NO_MODEL', { name: 'someone/nothing' }),
  );
});

const transientFaults: [string, () => void][] = [
  [
    '429 with Retry-After',
    () =>
      server.faults.push({ path: /resolve.*safetensors/, times: 1, status: 429, headers: { 'retry-after': '0.2' } }),
  ],
  [
    '500 twice, then success',
    () =>
      server.faults.push(
        { path: /resolve.*safetensors/, times: 2, status: 500 },
        { path: /\/api\//, times: 2, status: 503 },
      ),
  ],
  [
    'a connection cut in the middle, five times',
    () => server.faults.push({ path: /resolve.*safetensors/, times: 5, cutAfter: 400_000 }),
  ],
  ['a server that stalls', () => server.faults.push({ path: /resolve.*safetensors/, times: 1, stallAfter: 700_000 })],
  ['a wrong byte once', () => server.faults.push({ path: /resolve.*safetensors/, times: 1, corrupt: true })],
];
for (const [description, cause] of transientFaults)
  test(`${description}: the download succeeds after retries`, async () => {
    cause();
    const { folder } = await fetchModel(name, {}, hub);
    assert.equal(storedHash(folder), weightsHash);
    checkCache();
    assert.deepEqual(
      fs.readdirSync(path.join(folder, '../../blobs')).filter((blob) => blob.includes('tunebook')),
      [],
    );
  });

test('of a DeBERTa without tokenizer.json, the sentencepiece model is downloaded and used', async () => {
  const { folder, files } = await fetchModel('someone/deberta', {}, hub);
  assert.deepEqual(files.map(({ file }) => file).sort(), Object.keys(deberta));
  const text = 'a great product';
  const expected = loadTokenizer(path.join(fixtures, 'deberta-v2')).encode(text);
  assert.deepEqual(loadTokenizer(folder).encode(text), expected);
});

test('an interrupted download continues where it stopped', async () => {
  server.faults.push({ path: /resolve.*safetensors/, cutAfter: 1_000_000, times: 1 });
  await fetchModel(name, {}, hub);
  const requests = server.requests.filter(({ path }) => path.endsWith('model.safetensors'));
  assert.deepEqual(
    requests.map(({ range }) => range?.replace(/\d+/, 'n')),
    [undefined, 'bytes=n-'],
  );
  assert.ok(requests.reduce((sum, { bytes }) => sum + bytes, 0) < weights.length + 600_000);
});

const permanentFaults: [string, () => void, (error: unknown) => true][] = [
  [
    '404 for a file that was listed',
    () =>
      server.faults.push({ path: /resolve.*safetensors/, status: 404, headers: { 'x-error-code': 'EntryNotFound' } }),
    failure(EntryNotFoundError, 'HUB_NO_FILE'),
  ],
  [
    '403 without a reason',
    () => server.faults.push({ path: /resolve.*safetensors/, status: 403 }),
    failure(HubResponseError, 'HUB_RESPONSE_INVALID', { status: 403 }),
  ],
  [
    '429 permanently',
    () => server.faults.push({ path: /resolve.*safetensors/, status: 429 }),
    failure(HubUnavailableError, 'HUB_UNAVAILABLE', { status: 429, failures: 4 }),
  ],
  [
    '429 for an hour',
    () => server.faults.push({ path: /resolve.*safetensors/, status: 429, headers: { 'retry-after': '3600' } }),
    failure(HubUnavailableError, 'HUB_UNAVAILABLE', { status: 429, pause: 3600 }),
  ],
  [
    '500 permanently',
    () => server.faults.push({ path: /resolve.*safetensors/, status: 500 }),
    failure(HubUnavailableError, 'HUB_UNAVAILABLE', { status: 500, failures: 4 }),
  ],
  [
    'wrong bytes permanently',
    () => server.faults.push({ path: /resolve.*safetensors/, corrupt: true }),
    failure(IntegrityError, 'HUB_FILE_DAMAGED', { file: 'model.safetensors' }),
  ],
  [
    'no bytes at all',
    () => server.faults.push({ path: /resolve.*safetensors/, stallAfter: 0 }),
    failure(HubUnavailableError, 'HUB_UNAVAILABLE', { status: undefined }),
  ],
];
for (const [description, cause, expected] of permanentFaults)
  test(`${description}: an error, no broken file, and the next download succeeds`, async () => {
    cause();
    await assert.rejects(fetchModel(name, {}, hub), expected);
    checkCache();
    await assert.rejects(fetchModel(name, {}, { ...hub, offline: true }), failure(OfflineError, 'HUB_OFFLINE'));
    server.faults.length = 0;
    assert.equal(storedHash((await fetchModel(name, {}, hub)).folder), weightsHash);
  });

test('a full disk and a cache that is not writable are errors', async () => {
  // A file in place of a folder, which even root cannot write to.
  fs.mkdirSync(hub.cacheFolder, { recursive: true });
  fs.writeFileSync(path.join(hub.cacheFolder, 'models--distilbert-base-uncased'), '');
  await assert.rejects(fetchModel(name, {}, hub), /ENOTDIR|EEXIST/);
  const full = '/dev/full';
  assert.throws(() => fs.writeFileSync(full, 'x'), /ENOSPC/);
  const repository = path.join(temporary, `full-${count}`, 'models--distilbert-base-uncased');
  fs.mkdirSync(path.join(repository, 'blobs'), { recursive: true });
  fs.symlinkSync(full, path.join(repository, 'blobs', `${weightsHash}.tunebook.incomplete`));
  await assert.rejects(
    fetchModel(name, {}, { ...hub, cacheFolder: path.dirname(repository) }),
    failure(CacheError, 'HUB_CACHE_FULL'),
  );
});

test('the environment variables are those of Hugging Face', () => {
  const originalEnvironment = { ...process.env };
  const home = path.join(temporary, 'home');
  fs.mkdirSync(home);
  fs.writeFileSync(path.join(home, 'token'), 'hf_stored\n');
  Object.assign(process.env, { HF_ENDPOINT: 'https://mirror.example/', HF_HOME: home, HF_HUB_OFFLINE: '1' });
  for (const name of ['HF_TOKEN', 'HF_HUB_CACHE', 'HF_TOKEN_PATH']) delete process.env[name];
  const actual = hubOfEnvironment();
  assert.deepEqual(
    [actual.endpoint, actual.token, actual.cacheFolder, actual.offline],
    ['https://mirror.example', 'hf_stored', path.join(home, 'hub'), true],
  );
  process.env['HF_TOKEN'] = 'hf_given';
  assert.equal(hubOfEnvironment().token, 'hf_given');
  for (const name of Object.keys(process.env)) if (!(name in originalEnvironment)) delete process.env[name];
  Object.assign(process.env, originalEnvironment);
});

test('the token is sent to the hub, but not to hosts that it redirects to', async () => {
  const receivedTokens: (string | undefined)[] = [];
  const listen = async (answer: http.RequestListener) => {
    const listening = http.createServer(answer);
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    return { listening, url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}` };
  };
  const other = await listen((request, response) => {
    receivedTokens.push(request.headers.authorization);
    response.end('bytes');
  });
  const first = await listen((request, response) => {
    receivedTokens.push(request.headers.authorization);
    response.writeHead(302, { location: other.url }).end();
  });
  const { response, done } = await requestOnce({ ...hub, endpoint: first.url, token: 'hf_secret' }, `${first.url}/x`);
  assert.equal(await response.text(), 'bytes');
  done();
  assert.deepEqual(receivedTokens, ['Bearer hf_secret', undefined]);
  for (const { listening } of [first, other]) {
    listening.close();
    listening.closeAllConnections();
  }
});

test('a listed path outside the cache is an error', async () => {
  const hostile = await startStandInHub([
    { type: 'model', id: 'a/b', files: { ...model, '../../../outside.json': Buffer.from('x') } },
  ]);
  await assert.rejects(
    fetchModel('a/b', {}, { ...hub, endpoint: hostile.endpoint }),
    failure(HubResponseError, 'HUB_RESPONSE_INVALID', { value: '../../../outside.json' }),
  );
  await hostile.close();
});

test("the hub's RateLimit header is respected; an unreadable Retry-After is ignored", async () => {
  server.faults.push({ path: /resolve.*safetensors/, times: 1, status: 429, headers: { ratelimit: '"api";r=0;t=1' } });
  const started = performance.now();
  await fetchModel(name, {}, hub);
  assert.ok(performance.now() - started > 1900);
  server.faults.push({ path: /resolve/, status: 429, headers: { 'retry-after': 'soon' } });
  const again = { ...hub, cacheFolder: `${hub.cacheFolder}-again`, firstDelay: 0.1 };
  const from = performance.now();
  await assert.rejects(fetchModel(name, {}, again), failure(HubUnavailableError, 'HUB_UNAVAILABLE'));
  assert.ok(performance.now() - from > 600, 'delays grow as without the header');
});

test('a server without range support that always cuts the connection at the same offset is an error', async () => {
  server.faults.push({ path: /resolve.*safetensors/, cutAfter: 900_000, ignoreRange: true });
  await assert.rejects(fetchModel(name, {}, hub), failure(HubUnavailableError, 'HUB_UNAVAILABLE'));
  server.faults.length = 0;
  assert.equal(storedHash((await fetchModel(name, {}, hub)).folder), weightsHash);
});

test('a partial download that is too long starts again', async () => {
  const blobs = path.join(hub.cacheFolder, 'models--distilbert-base-uncased/blobs');
  fs.mkdirSync(blobs, { recursive: true });
  fs.writeFileSync(path.join(blobs, `${weightsHash}.tunebook.incomplete`), weights.subarray(0, 2_000_000));
  server.faults.push({ path: /resolve.*safetensors/, times: 1, status: 416 });
  assert.equal(storedHash((await fetchModel(name, {}, hub)).folder), weightsHash);
});

test('problems with the lock are errors, and waiting for it can be aborted', async () => {
  const blobs = path.join(hub.cacheFolder, 'models--distilbert-base-uncased/blobs');
  fs.mkdirSync(path.dirname(blobs), { recursive: true });
  // A dangling link: no lock can be created there.
  fs.symlinkSync('/proc/nowhere', blobs);
  await assert.rejects(fetchModel(name, {}, hub), /ENOENT|EEXIST|is not writable/);
  // Waiting for the lock of another process can be aborted.
  fs.rmSync(blobs);
  const config = createHash('sha1')
    .update(`blob ${fs.statSync(model['config.json']).size}\0`)
    .update(fs.readFileSync(model['config.json']))
    .digest('hex');
  fs.mkdirSync(path.join(blobs, `${config}.tunebook.lock`), { recursive: true });
  await assert.rejects(fetchModel(name, { signal: AbortSignal.timeout(400) }, hub), /abort/i);
});

test('an empty file is downloaded', async () => {
  const files = { ...model, 'special_tokens_map.json': Buffer.alloc(0) };
  const empty = await startStandInHub([{ type: 'model', id: 'a/empty', files }]);
  const { folder } = await fetchModel('a/empty', {}, { ...hub, endpoint: empty.endpoint });
  assert.equal(fs.readFileSync(path.join(folder, 'special_tokens_map.json'), 'utf8'), '');
  await empty.close();
});

const child = fileURLToPath(new URL('./fetch-model.js', import.meta.url));
const spawnFetch = () =>
  spawn(process.execPath, [child, name], {
    env: {
      ...process.env,
      HF_ENDPOINT: server.endpoint,
      HF_HUB_CACHE: hub.cacheFolder,
      HF_HUB_OFFLINE: '',
      HF_TOKEN: '',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
const exitOf = (process: ReturnType<typeof spawnFetch>) =>
  new Promise<number | null>((resolve) => process.on('close', (code) => resolve(code)));

test('two processes that request the same model share one download', async () => {
  server.rate = 3_000_000;
  assert.deepEqual(await Promise.all([exitOf(spawnFetch()), exitOf(spawnFetch())]), [0, 0]);
  checkCache();
  const sentBytes = server.requests
    .filter(({ path }) => path.endsWith('model.safetensors'))
    .reduce((sum, { bytes }) => sum + bytes, 0);
  assert.equal(sentBytes, weights.length);
});

test('a download that is killed at 20 random moments continues each time', async () => {
  server.rate = 1_500_000;
  for (let kill = 0; kill < 20; kill++) {
    const process = spawnFetch();
    const ended = exitOf(process);
    await new Promise((resolve) => setTimeout(resolve, 150 + Math.random() * 700));
    process.kill('SIGKILL');
    await ended;
    checkCache();
    // The lock of a dead process expires after 5 s; set its time back instead of waiting.
    const blobs = path.join(hub.cacheFolder, 'models--distilbert-base-uncased/blobs');
    if (kill < 19 && fs.existsSync(blobs))
      for (const lock of fs.readdirSync(blobs).filter((file) => file.endsWith('.lock')))
        fs.utimesSync(path.join(blobs, lock), 0, 0);
  }
  delete server.rate;
  const process = spawnFetch();
  assert.equal(await exitOf(process), 0);
  checkCache();
  assert.equal(storedHash((await fetchModel(name, {}, { ...hub, offline: true })).folder), weightsHash);
});
