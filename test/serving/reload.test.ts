// Replacing the served model under continuous requests to the real server: no request fails, and every answer is that of one
// model. Two models with opposite weights and other labels show which of them answered.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { exportModel } from '#lib/export/export.js';
import { writePreprocessing } from '#lib/model/preprocessing.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openSentimentModel, type Prediction } from '#lib/serving/sentiment.js';
import { createServer } from '#lib/serving/server.js';
import { start, waitForOutput, writeTinyModel } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-reload-'));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const labels = { first: ['negative', 'positive'], second: ['bad', 'good'] } as const;
const textColumns = { first: ['title', 'content'], second: ['summary', 'comment'] } as const;
type Version = keyof typeof labels;

/** Exports a model whose labels and text columns depend on the version. */
async function writeVersion(model: string, version: Version): Promise<void> {
  writeTinyModel(model);
  const config = JSON.parse(fs.readFileSync(path.join(model, 'config.json'), 'utf8')) as object;
  const [zero, one] = labels[version];
  const named = { ...config, id2label: { 0: zero, 1: one }, label2id: { [zero]: 0, [one]: 1 } };
  fs.writeFileSync(path.join(model, 'config.json'), JSON.stringify(named));
  const classes = { names: [...labels[version]], numberOf: {}, partial: false };
  const maxLength = version === 'first' ? 32 : 16;
  writePreprocessing(model, { maxLength, reading: { textColumns: [...textColumns[version]], classes } });
  await exportModel(model, await sampleReviews(await embeddedReviews(), { rows: 20 }), { version: '0' });
}
/** Texts of both versions' columns, so that each version reads its own. */
const rows = Array.from({ length: 6 }, (_, i) => ({
  title: `good ${i}`,
  content: 'works as described and easy to set up '.repeat(i + 1),
  summary: `bad ${i}`,
  comment: 'stopped working after two days '.repeat(i + 1),
}));
const sentences = rows.map(({ content }) => content);
const rounded = (predictions: Prediction[]) =>
  predictions.map(({ label, score }) => ({ label, score: Number(score.toFixed(4)) }));
/** The predictions of each version: of the sentences, and of its text columns. */
const expected = {} as Record<Version, { sentences: Prediction[]; rows: Prediction[] }>;

let time = Date.now();
/** Makes a version the newest model in runs/: its time is later than all others, not the same. */
function publish(version: string): void {
  const model = inFolder('runs', version, 'model');
  if (!fs.existsSync(model)) fs.cpSync(inFolder(version), model, { recursive: true });
  time += 1000;
  fs.utimesSync(path.join(model, 'config.json'), time / 1000, time / 1000);
}

before(async () => {
  for (const version of ['first', 'second'] as const) {
    await writeVersion(inFolder(version), version);
    const model = await openSentimentModel(inFolder(version));
    const [one, two] = textColumns[version];
    const texts = rows.map((row) => `${row[one as 'title']}. ${row[two as 'content']}`.trim());
    expected[version] = {
      sentences: rounded(await model.predictSentiment(sentences)),
      rows: rounded(await model.predictSentiment(texts)),
    };
    await model.dispose();
  }
  fs.cpSync(inFolder('first'), inFolder('damaged'), { recursive: true });
  fs.truncateSync(inFolder('damaged/onnx/model.onnx'), 1000);
});
after(() => fs.rmSync(folder, { recursive: true }));

test('a model is replaced under continuous requests: none fails, and every answer is that of one model', async () => {
  publish('first');
  const env = { TUNEBOOK_SERVE_TOKEN: 'secret' };
  const { child, ended } = start(['serve', '--port', '0'], { cwd: folder, env });
  let output = '';
  child.stdout!.on('data', (text: string) => (output += text));
  await waitForOutput(child, 'openapi.json');
  const address = /(http:\/\/127\.0\.0\.1:\d+);/.exec(output)![1]!;
  const post = async (url: string, body: object, token = 'secret') => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const response = await fetch(address + url, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const answers: Record<Version, number> = { first: 0, second: 0 };
  /** Sends a request of each protocol that names its model, and one that reads text columns. @returns their versions */
  const send = async (): Promise<Version[]> => {
    const input = { name: 'text', shape: [sentences.length], datatype: 'BYTES', data: sentences };
    const [domino, infer, mlflow] = await Promise.all([
      post('/model', { data: { sentences } }),
      post('/v2/models/sentiment/infer', { inputs: [input] }),
      post('/invocations', { dataframe_records: rows }),
    ]);
    for (const { status, body } of [domino, infer, mlflow]) assert.equal(status, 200, JSON.stringify(body));
    const [names, scores] = infer.body['outputs'] as [{ data: string[] }, { data: number[] }];
    const { predictions } = mlflow.body as { predictions: Prediction[] };
    const versions: [string, Prediction[], 'sentences' | 'rows'][] = [
      [
        (domino.body['release'] as { registered_model_version: string }).registered_model_version,
        domino.body['result'] as Prediction[],
        'sentences',
      ],
      [
        infer.body['model_version'] as string,
        names.data.map((label, i) => ({ label, score: scores.data[i]! })),
        'sentences',
      ],
      [labels.first.some((label) => label === predictions[0]!.label) ? 'first' : 'second', predictions, 'rows'],
    ];
    return versions.map(([version, actual, kind]) => {
      assert.deepEqual(rounded(actual), expected[version as Version][kind]);
      answers[version as Version]++;
      return version as Version;
    });
  };
  const load = () => post('/v2/repository/models/sentiment/load', {});
  const ready = (version: Version) => ({ name: 'sentiment', version, state: 'READY', reason: '' });

  let stopped = false;
  const clients = Array.from({ length: 6 }, async () => {
    while (!stopped) await send();
  });
  const work = async () => {
    assert.deepEqual(await send(), ['first', 'first', 'first']);
    assert.equal((await post('/v2/repository/models/sentiment/load', {}, 'wrong')).status, 401);
    publish('second');
    assert.deepEqual(await load(), { status: 200, body: ready('second') });
    assert.deepEqual(await send(), ['second', 'second', 'second'], 'the answer to load comes after the replacement');
    assert.deepEqual((await post('/v2/repository/index', {})).body, [ready('second')]);

    publish('damaged');
    const failed = await load();
    assert.deepEqual([failed.status, failed.body['code']], [400, 'MODEL_NOT_LOADED']);
    assert.match(failed.body['error'] as string, /version second is still served\. .*model\.onnx/);
    assert.deepEqual(await send(), ['second', 'second', 'second']);

    publish('first');
    for (const { body } of await Promise.all([load(), load(), load()])) assert.deepEqual(body, ready('first'));
    publish('second');
    const loading = load();
    publish('first');
    // The second call loads again, since the first one may have begun before the newest model was there.
    await Promise.all([loading, load()]);
    assert.deepEqual(await send(), ['first', 'first', 'first']);
  };
  try {
    await Promise.all([work(), ...clients].map((each) => each.finally(() => (stopped = true))));
  } finally {
    child.kill('SIGTERM');
  }
  assert.ok(answers.first > 20 && answers.second > 20, JSON.stringify(answers));
  const { status, stderr } = await ended;
  assert.equal(status, 0, stderr);
});

test('metadata, metrics, the API description and the web page follow the model', async () => {
  const first = await openSentimentModel(inFolder('first'));
  let disposed = 0;
  const server = await createServer(
    { ...first, dispose: () => (disposed++, first.dispose()) },
    {
      tunebook: '0',
      version: 'first',
      page: true,
      rateLimit: 1,
      load: async () => ({ model: await openSentimentModel(inFolder('second')), version: 'second' }),
    },
  );
  const { app } = server;
  const get = async (url: string) => (await app.inject({ url })).payload;
  const check = async (version: Version) => {
    assert.deepEqual((JSON.parse(await get('/v2/models/sentiment')) as { versions: string[] }).versions, [version]);
    assert.match(
      await get('/metrics'),
      new RegExp(`^tunebook_model_info\\{name="sentiment",version="${version}"\\} 1$`, 'm'),
    );
    assert.match(await get('/openapi.json'), new RegExp(`Classifies reviews: ${labels[version].join(', ')}\\.`));
    assert.deepEqual(JSON.parse(await get('/app/preprocessing.json')), {
      maxLength: version === 'first' ? 32 : 16,
      textColumns: textColumns[version],
      textPairColumn: null,
      labels: labels[version],
      problemType: 'single_label_classification',
      temperature: 1,
      threshold: null,
    });
    assert.ok((await get('/app/model/config.json')).includes(labels[version][0]));
  };
  await check('first');
  assert.deepEqual((JSON.parse(await get('/v2')) as { extensions: string[] }).extensions, ['model_repository']);
  // Without a body, as with curl; loads do not count as scoring requests.
  for (let i = 0; i < 2; i++) {
    const { statusCode } = await app.inject({ method: 'POST', url: '/v2/repository/models/sentiment/load' });
    assert.equal(statusCode, 200);
  }
  await check('second');
  assert.equal(disposed, 1);
  for (const [url, payload, status, code] of [
    ['/v2/repository/models/other/load', {}, 404, 'REQUEST_UNKNOWN_MODEL'],
    ['/v2/repository/models/sentiment/load', { parameters: { config: '{}' } }, 400, 'REQUEST_INVALID'],
  ] as const) {
    const response = await app.inject({ method: 'POST', url, payload });
    assert.deepEqual([response.statusCode, response.json<{ code: string }>().code], [status, code]);
  }
  await app.close();
  assert.equal(server.model.folder, inFolder('second'));
  await server.model.dispose();
});

test('a server without the option load cannot replace its model', async () => {
  const model = await openSentimentModel(inFolder('first'));
  const { app } = await createServer(model, { tunebook: '0' });
  const { statusCode } = await app.inject({ method: 'POST', url: '/v2/repository/models/sentiment/load' });
  assert.equal(statusCode, 404);
  assert.deepEqual((await app.inject({ url: '/v2' })).json<{ extensions: string[] }>().extensions, []);
  await app.close();
  await model.dispose();
});
