// The scoring API with an exported model: all protocols, 1,000 malformed requests, overload, tokens, and shutdown
// without lost requests.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { exportModel } from '#lib/export/export.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { createServer, type ServerOptions } from '#lib/serving/server.js';
import { openSentimentModel, type Prediction, type SentimentModel } from '#lib/serving/sentiment.js';
import { seededRandom } from '#lib/reviews/random.js';
import { assertFailed } from '../failure.js';
import { waitForOutput, start, tunebook, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-serve-'));
const modelFolder = path.join(folder, 'model');
let model: SentimentModel;
let predictions: Prediction[];
const sentences = ['The item came damanged, 1 star.', 'Great.'];
const servers: FastifyInstance[] = [];
before(async () => {
  writeTinyModel(modelFolder);
  await exportModel(modelFolder, await sampleReviews(await embeddedReviews(), { rows: 50 }), { version: '0' });
  model = await openSentimentModel(modelFolder);
  predictions = (await model.predictSentiment(sentences)).map(({ label, score }) => ({
    label,
    score: Number(score.toFixed(6)),
  }));
});
after(async () => {
  for (const server of servers) await server.close();
  await model.dispose();
  fs.rmSync(folder, { recursive: true });
});

async function serve(options: Partial<ServerOptions> = {}, served = model): Promise<FastifyInstance> {
  const { app } = await createServer(served, { tunebook: '0', version: 'run', ...options });
  servers.push(app);
  return app;
}
const post = async (server: FastifyInstance, url: string, payload: unknown, headers: Record<string, string> = {}) => {
  const response = await server.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
  return { status: response.statusCode, headers: response.headers, body: response.json<Record<string, unknown>>() };
};
/** Asserts that scores are equal up to the last digit given: rounding depends on the other texts of a batch. */
function assertNear(actual: unknown, expected: unknown): void {
  if (typeof expected === 'number')
    assert.ok(Math.abs((actual as number) - expected) < 2e-6, `${String(actual)}, not ${expected}`);
  else if (typeof expected === 'object' && expected !== null) {
    assert.deepEqual(Object.keys(actual as object).sort(), Object.keys(expected).sort());
    for (const [key, value] of Object.entries(expected)) assertNear((actual as Record<string, unknown>)[key], value);
  } else assert.equal(actual, expected);
}

test('a port in use is an error that says how to fix it', async () => {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { status, stderr } = await tunebook(['serve', modelFolder, '--port', String(port)]);
  server.close();
  assertFailed({ status, stderr }, 2, 'SettingsError', 'PORT_UNAVAILABLE', String(port), `--port ${port + 1}`);
  assert.equal(stderr.trim().split('\n').length, 1);
});

test('each protocol accepts its requests and answers in its format', async () => {
  const server = await serve();
  const [first, second] = predictions as [Prediction, Prediction];
  for (const url of ['/model', '/models/123/latest/model'])
    for (const [body, expected] of [
      [{ data: { sentence: sentences[0] } }, first],
      [{ data: { sentence: sentences } }, predictions],
      [{ data: { sentences: [sentences[1]] } }, [second]],
      [{ parameters: [sentences[1]] }, second],
    ] as const) {
      const { status, body: response } = await post(server, url, body);
      assert.equal(status, 200);
      assertNear(response['result'], expected);
      assert.deepEqual(Object.keys(response).sort(), ['model_time_in_ms', 'release', 'request_id', 'result', 'timing']);
      const { registered_model_version: version } = response['release'] as Record<string, string>;
      assert.equal(version, 'run');
    }
  const both = ({ label, score }: Prediction) => [
    { label, score },
    { label: label === 'positive' ? 'negative' : 'positive', score: 1 - score },
  ];
  for (const url of ['/', '/predict']) {
    assertNear((await post(server, url, { inputs: sentences[0] })).body, both(first));
    assertNear((await post(server, url, { inputs: sentences })).body, predictions.map(both));
    assertNear((await post(server, url, { inputs: sentences[0], parameters: { top_k: 1 } })).body, [first]);
  }
  for (const body of [
    { inputs: sentences },
    { inputs: { text: sentences } },
    { instances: sentences },
    { instances: sentences.map((text) => ({ text })) },
    { dataframe_split: { columns: ['id', 'sentence'], data: sentences.map((text, id) => [id, text]) } },
    { dataframe_records: sentences.map((review, id) => ({ id, review })) },
  ])
    assertNear((await post(server, '/invocations', body)).body, { predictions });
  const input = { name: 'text', shape: [2], datatype: 'BYTES', data: sentences };
  const output = (name: string, datatype: string, shape: number[], data: unknown[]) => ({
    name,
    datatype,
    shape,
    data,
  });
  const inferred = await post(server, '/v2/models/sentiment/infer', { id: '7', inputs: [input] });
  assertNear(inferred.body, {
    model_name: 'sentiment',
    model_version: 'run',
    id: '7',
    outputs: [
      output(
        'label',
        'BYTES',
        [2],
        predictions.map(({ label }) => label),
      ),
      output(
        'score',
        'FP32',
        [2],
        predictions.map(({ score }) => score),
      ),
    ],
  });
  const chosen = await post(server, '/v2/models/sentiment/versions/run/infer', {
    inputs: [input],
    outputs: [{ name: 'probabilities' }],
  });
  type Output = { shape: number[]; data: number[]; parameters: { class_names: string } };
  const [{ shape, data, parameters }] = chosen.body['outputs'] as [Output];
  assert.deepEqual([shape, data.length, parameters.class_names], [[2, 2], 4, '["negative","positive"]']);
});

test('health checks, metadata, metrics and an OpenAPI document of all routes are served', async () => {
  const server = await serve();
  const get = async (url: string) => (await server.inject({ url })).json<Record<string, unknown>>();
  for (const url of ['/health/live', '/v2/health/live']) assert.deepEqual(await get(url), { live: true });
  for (const url of ['/health', '/ping', '/health/ready', '/v2/health/ready', '/v2/models/sentiment/ready'])
    assert.deepEqual(await get(url), { ready: true });
  assert.deepEqual((await get('/v2/models/sentiment'))['versions'], ['run']);
  await post(server, '/model', { data: { sentence: sentences } });
  await post(server, '/model', {});
  const { payload } = await server.inject({ url: '/metrics' });
  assert.match(payload, /^tunebook_texts_total 2$/m);
  assert.match(payload, /^tunebook_requests_total\{route="\/model",status="400"\} 1$/m);
  assert.match(payload, /^tunebook_request_seconds_count\{route="\/model"\} 2$/m);
  const { openapi, paths } = (await get('/openapi.json')) as {
    openapi: string;
    paths: Record<string, { post?: { requestBody: object } }>;
  };
  assert.equal(openapi, '3.1.0');
  for (const url of ['/model', '/', '/predict', '/invocations', '/v2/models/{model}/infer'])
    assert.ok(paths[url]?.post?.requestBody, url);
});

test('invalid requests are answered with a suitable status and a message with the cause', async () => {
  const server = await serve({ bodyLimit: 2000, maxTexts: 3 });
  for (const [url, payload, status, message] of [
    ['/model', '{bad', 400, /JSON/],
    ['/model', {}, 400, /has no data\.sentence\. Send a string or a list of strings/],
    ['/model', { data: { sentence: 3 } }, 400, /body\.data\.sentence must be string\. See \/openapi\.json/],
    ['/model', { data: { text: 'a' } }, 400, /body\.data must NOT have additional properties: 'text'/],
    ['/', { inputs: 'a', parameters: { top_k: 0 } }, 400, /body\.parameters\.top_k must be >= 1/],
    ['/', { inputs: ['a', 'b', 'c', 'd'] }, 400, /has 4 texts; the maximum is 3/],
    ['/invocations', {}, 400, /exactly one of inputs, instances, dataframe_split and dataframe_records/],
    [
      '/invocations',
      { dataframe_split: { columns: ['a', 'b'], data: [] } },
      400,
      /No text column among a, b\. Name the text column one of sentence, text, review/,
    ],
    [
      '/invocations',
      { dataframe_split: { columns: ['text'], data: [['a'], ['b', 'c']] } },
      400,
      /Row 2 of dataframe_split\.data has 2 values, but there are 1 columns/,
    ],
    ['/invocations', { instances: [{ text: 1 }] }, 400, /The column text of instances must be/],
    ['/v2/models/sentiment/infer', { inputs: [] }, 400, /exactly one input, the texts; it contains 0/],
    [
      '/v2/models/sentiment/infer',
      { inputs: [{ name: 'x', shape: [1], datatype: 'FP32', data: [1] }] },
      400,
      /The input x has datatype FP32\. Send texts with datatype BYTES/,
    ],
    [
      '/v2/models/sentiment/infer',
      { inputs: [{ name: 'x', shape: [3], datatype: 'BYTES', data: ['a'] }] },
      400,
      /The input x has shape \[3\], so 3 texts, but its data has 1\./,
    ],
    [
      '/v2/models/sentiment/infer',
      { inputs: [{ name: 'x', shape: [1], datatype: 'BYTES', data: ['a'] }], outputs: [{ name: 'labels' }] },
      400,
      /Unknown output labels\. Available outputs: label, score, probabilities\./,
    ],
    ['/v2/models/other/infer', { inputs: [] }, 404, /Unknown model other\. Available: sentiment, version run/],
    ['/nothing', {}, 404, /No route for POST \/nothing/],
    ['/model', { data: { sentence: 'a'.repeat(3000) } }, 413, /The body is too large/],
  ] as const) {
    const response = await post(server, url, payload);
    assert.deepEqual([response.status, Object.keys(response.body)], [status, ['error', 'code']], url);
    assert.match(response.body['error'] as string, message);
    assert.match(response.body['code'] as string, /^REQUEST_/);
  }
  const form = await post(server, '/model', 'sentence=a', { 'content-type': 'application/x-www-form-urlencoded' });
  assert.deepEqual([form.status, form.body['error']], [415, 'Unsupported content type. Send JSON (application/json).']);
});

test('named columns are joined as in training, and an empty text is an error of every protocol', async () => {
  const textColumns = ['title', 'content'];
  const classes = { names: model.labels, numberOf: {}, partial: false };
  const server = await serve({}, { ...model, preprocessing: { maxLength: 16, reading: { textColumns, classes } } });
  const rows = [
    { id: 1, content: 'It stopped working.', title: 'Broken' },
    { id: 2, content: 'Great.', title: null },
  ];
  const expected = await post(server, '/invocations', { inputs: ['Broken. It stopped working.', 'Great.'] });
  assert.equal(expected.status, 200);
  for (const body of [
    { instances: rows },
    { dataframe_records: [rows[0], { content: 'Great.' }] },
    { dataframe_split: { columns: ['content', 'title'], data: rows.map(({ content, title }) => [content, title]) } },
    { inputs: { title: rows.map(({ title }) => title), content: rows.map(({ content }) => content) } },
  ])
    assertNear((await post(server, '/invocations', body)).body, expected.body);
  // Without the columns of training, a usual or only column is the text.
  const single = await post(server, '/invocations', { dataframe_records: [{ text: 'Great.' }] });
  assertNear(single.body, { predictions: [(expected.body['predictions'] as unknown[])[1]] });
  for (const [body, code, message] of [
    [
      { instances: [{ a: 'x', b: 'y' }] },
      'REQUEST_NO_TEXT_COLUMN',
      /training, title, content, or name the text column/,
    ],
    [{ instances: [{ title: 1, content: 'x' }] }, 'REQUEST_INVALID', /The columns title, content of instances must be/],
    [{ inputs: { title: ['a'], content: ['b', 'c'] } }, 'REQUEST_INVALID', /content has 2 values, the column title 1/],
    [{ instances: [{ title: '', content: null }] }, 'REQUEST_INVALID', /text 1 of 1 is empty/],
  ] as const) {
    const response = await post(server, '/invocations', body);
    assert.deepEqual([response.status, response.body['code']], [400, code], JSON.stringify(response.body));
    assert.match(response.body['error'] as string, message);
  }
  const input = { name: 'text', shape: [2], datatype: 'BYTES', data: ['Great.', ' \n'] };
  for (const [url, body] of [
    ['/model', { data: { sentence: ['Great.', ''] } }],
    ['/predict', { inputs: ['Great.', '\u00a0'] }],
    ['/invocations', { inputs: ['Great.', ''] }],
    ['/v2/models/sentiment/infer', { inputs: [input] }],
  ] as const) {
    const { status, body: answer } = await post(server, url, body);
    assert.deepEqual([status, answer['code']], [400, 'REQUEST_INVALID'], url);
    assert.match(answer['error'] as string, /There is nothing to score: text 2 of 2 is empty/);
  }
});

test('1,000 malformed bodies: no 5xx, no stack trace, and the server still responds correctly', async () => {
  const server = await serve();
  const random = seededRandom(7);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const urls = ['/model', '/', '/predict', '/invocations', '/v2/models/sentiment/infer', '/models/x/latest/model'];
  const keys = [
    'data',
    'sentence',
    'inputs',
    'instances',
    'dataframe_split',
    'columns',
    'parameters',
    'top_k',
    'shape',
    'datatype',
    '__proto__',
    'constructor',
    'text',
    'name',
  ];
  const value = (depth: number): unknown => {
    const leaf = pick([
      null,
      true,
      0,
      -1,
      1e308,
      '',
      'a',
      '\u0000',
      '\ud800',
      '😀'.repeat(50),
      'BYTES',
      'x'.repeat(5000),
    ]);
    if (depth === 0 || random() < 0.3) return leaf;
    const size = Math.floor(4 * random());
    return random() < 0.5
      ? Array.from({ length: size }, () => value(depth - 1))
      : Object.fromEntries(Array.from({ length: size }, () => [pick(keys), value(depth - 1)]));
  };
  const statuses = new Map<number, number>();
  for (let i = 0; i < 1000; i++) {
    let payload = JSON.stringify(value(5)) ?? '';
    // Some are truncated or have one character changed.
    if (random() < 0.3) payload = payload.slice(0, Math.floor(random() * payload.length));
    if (random() < 0.2) payload = payload.replace(/./, pick(['{', '"', '\\', '[', ',']));
    const response = await server.inject({
      method: 'POST',
      url: pick(urls),
      payload,
      headers: {
        'content-type': pick(['application/json', 'application/json', 'text/plain', 'application/json; charset=utf-8']),
      },
    });
    statuses.set(response.statusCode, (statuses.get(response.statusCode) ?? 0) + 1);
    assert.ok(response.statusCode < 500, payload.slice(0, 300));
    assert.doesNotMatch(response.payload, /\bat .*\.js:|node_modules/);
    assert.doesNotThrow(() => JSON.parse(response.payload) as unknown);
  }
  assert.ok(statuses.get(400)! > 500, JSON.stringify([...statuses]));
  const { body } = await post(server, '/model', { data: { sentence: sentences[0] } });
  assertNear(body['result'], predictions[0]);
});

test('a token, as Bearer or as a password, is required for all routes except health checks', async () => {
  const server = await serve({ token: 'secret' });
  const body = { data: { sentence: 'a' } };
  const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`;
  for (const [authorization, status] of [
    ['', 401],
    ['Bearer', 401],
    ['Bearer wrong', 401],
    ['Bearer secret', 200],
    ['bearer secret', 200],
    [basic('secret:secret'), 200],
    [basic('anybody:wrong'), 401],
  ] as const) {
    const response = await post(server, '/model', body, authorization ? { authorization } : {});
    assert.equal(response.status, status, authorization);
    if (status === 401) assert.match(response.body['error'] as string, /token is required\. .*authorization: Bearer/);
  }
  assert.equal((await server.inject({ url: '/metrics' })).statusCode, 401);
  assert.equal((await server.inject({ url: '/health/ready' })).statusCode, 200);
});

test('a rate limit per client: 429 with a time to retry; health checks are not limited', async () => {
  const server = await serve({ rateLimit: 2 });
  const body = { data: { sentence: 'Great.' } };
  const request = (remoteAddress: string) =>
    server.inject({ method: 'POST', url: '/model', remoteAddress, payload: body });
  for (const left of ['1', '0']) {
    const { statusCode, headers } = await request('192.0.2.1');
    assert.deepEqual([statusCode, headers['x-ratelimit-remaining']], [200, left]);
  }
  const rejected = await request('192.0.2.1');
  assert.deepEqual([rejected.statusCode, rejected.json<{ code: string }>().code], [429, 'REQUEST_RATE_LIMITED']);
  assert.ok(Number(rejected.headers['retry-after']) >= 1);
  assert.equal((await request('192.0.2.2')).statusCode, 200);
  assert.equal((await server.inject({ url: '/health/ready', remoteAddress: '192.0.2.1' })).statusCode, 200);
});

test('a full queue: 429 with a time to retry, no accepted request is lost, and slow requests time out', async () => {
  const server = await serve({ maxQueuedTexts: 64 });
  const text = 'a rather long review of a thing that was bought '.repeat(4);
  const responses = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      post(server, '/', { inputs: Array.from({ length: 8 }, (_, j) => `${text} ${i} ${j}`) }),
    ),
  );
  const rejected = responses.filter(({ status }) => status === 429);
  assert.ok(rejected.length > 0 && rejected.length < 60, String(rejected.length));
  for (const { headers, body } of rejected) {
    assert.ok(Number(headers['retry-after']) >= 1);
    assert.match(body['error'] as string, /The queue is full\. Retry in \d+ s\./);
  }
  const accepted = responses.filter(({ status }) => status === 200);
  assert.equal(accepted.length + rejected.length, 60);
  assert.ok(accepted.every(({ body }) => (body as unknown as unknown[]).length === 8));
  const shortTimeout = await serve({ timeout: 0.001 });
  const late = await post(shortTimeout, '/', { inputs: Array.from({ length: 200 }, () => text) });
  assert.equal(late.status, 504);
  assert.match(late.body['error'] as string, /^The request timed out after 0\.001 s\./);
});

for (const npx of [false, true])
  test(`${npx ? 'npx ' : ''}tunebook serve: localhost only; after SIGTERM accepted requests are answered`, async () => {
    const { child, ended } = start(['serve', modelFolder, '--port', '0'], { npx });
    let output = '';
    child.stdout!.on('data', (text: string) => (output += text));
    await waitForOutput(child, 'openapi.json');
    const address = /(http:\/\/127\.0\.0\.1:\d+);/.exec(output)![1]!;
    const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
    const send = (i: number) =>
      new Promise<number | 'refused'>((resolve) => {
        const request = http.request(
          `${address}/model`,
          { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
          (response) => {
            let body = '';
            response.on('data', (data) => (body += String(data)));
            response.on('end', () => resolve(body.includes('"result"') ? 200 : response.statusCode!));
          },
        );
        request.on('error', () => resolve('refused'));
        request.end(
          JSON.stringify({ data: { sentence: Array.from({ length: 20 }, (_, j) => `review ${i} ${j} `.repeat(20)) } }),
        );
      });
    const first = Array.from({ length: 16 }, (_, i) => send(i));
    await Promise.race(first);
    child.kill('SIGTERM');
    assert.deepEqual([...new Set(await Promise.all(first))], [200]);
    const { status, stdout, stderr } = await ended;
    if (!npx) assert.equal(status, 0, stderr);
    assert.match(stdout, /SIGTERM: answering pending requests, then stopping\./);
    assert.equal(await send(99), 'refused', 'the port is free');
    agent.destroy();
  });

test('invalid flags are errors, and a public address without a token causes a warning', async () => {
  for (const [argv, value] of [
    [['--port', '70000'], "--port is '70000'"],
    [['--timeout', 'soon'], "--timeout is 'soon'"],
    [['--precision', 'int4'], "--precision is 'int4'"],
  ] as const)
    assertFailed(await tunebook(['serve', modelFolder, ...argv]), 2, 'SettingsError', 'SETTING_INVALID', value);
  assertFailed(await tunebook(['serve', 'nothing']), 2, 'RunError', 'RUN_NOT_FOUND', 'nothing');
  const open = start(['serve', modelFolder, '--host', '0.0.0.0', '--port', '0']);
  await waitForOutput(open.child, 'openapi.json');
  open.child.kill('SIGINT');
  assert.match((await open.ended).stderr, /0\.0\.0\.0:0 accepts requests without a token\. Set TUNEBOOK_SERVE_TOKEN/);
});
