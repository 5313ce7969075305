// OpenTelemetry traces of the real server, received by a collector on this machine: spans, their parents and attributes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import protobuf from 'protobufjs';
import { exportModel } from '#lib/export/export.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { root } from '../checkout.js';
import { start, waitForOutput, writeTinyModel, type ProcessResult } from '../cli/command.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-tracing-'));
const modelFolder = path.join(folder, 'model');
before(async () => {
  writeTinyModel(modelFolder);
  await exportModel(modelFolder, await sampleReviews(await embeddedReviews(), { rows: 20 }), { version: '0' });
});
after(() => fs.rmSync(folder, { recursive: true }));

/** The part of OTLP's messages that the tests read; field numbers are those of opentelemetry-proto. */
const exportRequest = protobuf
  .parse(
    `syntax = "proto3";
    message ExportRequest { repeated ResourceSpans resourceSpans = 1; }
    message ResourceSpans { Resource resource = 1; repeated ScopeSpans scopeSpans = 2; }
    message Resource { repeated KeyValue attributes = 1; }
    message ScopeSpans { repeated Span spans = 2; }
    message Span {
      bytes traceId = 1; bytes spanId = 2; bytes parentSpanId = 4; string name = 5; int32 kind = 6;
      fixed64 start = 7; fixed64 end = 8; repeated KeyValue attributes = 9; Status status = 15;
    }
    message Status { int32 code = 3; }
    message KeyValue { string key = 1; AnyValue value = 2; }
    message AnyValue { oneof value { string stringValue = 1; bool boolValue = 2; int64 intValue = 3; double doubleValue = 4; } }`,
  )
  .root.lookupType('ExportRequest');
interface Attribute {
  key: string;
  value: Record<string, unknown>;
}
interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: number;
  start: bigint;
  end: bigint;
  attributes: Record<string, unknown>;
  status: number;
}
const attributesOf = (list: Attribute[] = []) =>
  Object.fromEntries(
    list.map(({ key, value }) => [key, 'intValue' in value ? Number(value['intValue']) : Object.values(value)[0]]),
  );

/** A collector that stores what it receives. */
async function startCollector() {
  const spans: Span[] = [];
  const received: { url: string; type: string; resource: Record<string, unknown> }[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const message = exportRequest.toObject(exportRequest.decode(Buffer.concat(chunks)), { longs: String }) as {
        resourceSpans: {
          resource: { attributes: Attribute[] };
          scopeSpans: { spans: Record<string, unknown>[] }[];
        }[];
      };
      const hex = (bytes: unknown) => Buffer.from((bytes as Uint8Array | undefined) ?? []).toString('hex');
      for (const { resource, scopeSpans } of message.resourceSpans) {
        received.push({
          url: request.url!,
          type: request.headers['content-type']!,
          resource: attributesOf(resource.attributes),
        });
        for (const span of scopeSpans.flatMap((scope) => scope.spans))
          spans.push({
            traceId: hex(span['traceId']),
            spanId: hex(span['spanId']),
            parentSpanId: hex(span['parentSpanId']),
            name: span['name'] as string,
            kind: span['kind'] as number,
            start: BigInt(span['start'] as string),
            end: BigInt(span['end'] as string),
            attributes: attributesOf(span['attributes'] as Attribute[] | undefined),
            status: (span['status'] as { code?: number } | undefined)?.code ?? 0,
          });
      }
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, spans, received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Runs the server with variables, sends requests, and stops the server with SIGTERM. */
async function serveWhile(
  env: Record<string, string>,
  work: (post: (url: string, body: object, headers?: object) => Promise<number>, address: string) => Promise<unknown>,
  model = modelFolder,
): Promise<ProcessResult> {
  const { child, ended } = start(['serve', model, '--port', '0'], { env });
  let output = '';
  child.stdout!.on('data', (text: string) => (output += text));
  await waitForOutput(child, 'openapi.json');
  const address = /(http:\/\/127\.0\.0\.1:\d+);/.exec(output)![1]!;
  try {
    await work(async (url, body, headers = {}) => {
      const response = await fetch(address + url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      });
      await response.arrayBuffer();
      return response.status;
    }, address);
  } finally {
    child.kill('SIGTERM');
  }
  return ended;
}

const traceId = '0af7651916cd43dd8448eb211c80319c';
const traceparent = (spanId: string, flags = '01') => ({ traceparent: `00-${traceId}-${spanId}-${flags}` });

test('the spans of requests: parents, times, batches and resource; no texts; the rest is sent at shutdown', async () => {
  const collector = await startCollector();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_SERVICE_NAME: 'reviews',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    // Nothing is sent before the shutdown.
    OTEL_BSP_SCHEDULE_DELAY: '600000',
  };
  const { status, stderr } = await serveWhile(env, async (post, address) => {
    const statuses = await Promise.all([
      post('/model', { data: { sentence: 'wonderful kettle' } }, traceparent('00f067aa0ba902b1')),
      post(
        '/predict?secret=wonderful',
        { inputs: ['wonderful lamp', 'wonderful chair'] },
        traceparent('00f067aa0ba902b2'),
      ),
      post('/model', { wonderful: 1 }, traceparent('00f067aa0ba902b3')),
      post('/model', { data: { sentence: 'wonderful radio' } }),
      post('/model', { data: { sentence: 'wonderful radio' } }, traceparent('00f067aa0ba902b4', '00')),
    ]);
    assert.deepEqual(statuses, [200, 200, 400, 200, 200]);
    for (const url of ['/health/ready', '/metrics', '/nothing']) await (await fetch(address + url)).arrayBuffer();
  });
  collector.server.close();
  assert.equal(status, 0, stderr);
  const { spans, received } = collector;
  assert.deepEqual(
    [...new Set(received.map(({ url, type }) => `${url} ${type}`))],
    ['/v1/traces application/x-protobuf'],
  );
  const { resource } = received[0]!;
  assert.deepEqual(
    ['service.name', 'deployment.environment.name', 'telemetry.sdk.language'].map((name) => resource[name]),
    ['reviews', 'test', 'nodejs'],
  );
  // A trace that its caller does not sample is not sent; probes and metrics are not traced.
  const requests = spans.filter(({ kind }) => kind === 2);
  assert.deepEqual(requests.map(({ name }) => name).sort(), [
    'GET',
    'POST /model',
    'POST /model',
    'POST /model',
    'POST /predict',
  ]);
  const ofParent = (spanId: string) => requests.find(({ parentSpanId }) => parentSpanId === spanId)!;
  const childrenOf = (span: Span) => spans.filter(({ parentSpanId }) => parentSpanId === span.spanId);

  const predict = ofParent('00f067aa0ba902b2');
  assert.equal(predict.traceId, traceId);
  assert.deepEqual(
    ['http.request.method', 'http.route', 'url.path', 'url.scheme', 'http.response.status_code'].map(
      (name) => predict.attributes[name],
    ),
    ['POST', '/predict', '/predict', 'http', 200],
  );
  const steps = childrenOf(predict).sort((a, b) => Number(a.start - b.start));
  assert.equal(steps[0]!.name, 'queue');
  const models = steps.slice(1);
  assert.ok(models.length > 0 && models.every(({ name }) => name === 'model'));
  assert.equal(
    models.reduce((sum, { attributes }) => sum + (attributes['tunebook.request.texts'] as number), 0),
    2,
  );
  for (const { attributes } of models) {
    const texts = attributes['tunebook.batch.texts'] as number;
    assert.ok(texts >= (attributes['tunebook.request.texts'] as number));
    // [CLS], two words of one or more tokens, [SEP].
    const tokens = attributes['tunebook.batch.tokens'] as number;
    assert.ok(tokens % texts === 0 && tokens / texts >= 4 && tokens / texts < 10, `${tokens} tokens of ${texts} texts`);
  }
  for (const step of steps) {
    assert.equal(step.traceId, traceId);
    // Times of different clocks are equal to a millisecond.
    assert.ok(
      step.start >= predict.start - 1_000_000n && step.end <= predict.end + 1_000_000n && step.end >= step.start,
    );
  }
  assert.equal(steps[0]!.end, models[0]!.start);

  const invalid = ofParent('00f067aa0ba902b3');
  assert.deepEqual(
    [invalid.attributes['http.response.status_code'], invalid.status, childrenOf(invalid).length],
    [400, 0, 0],
  );
  const own = requests.find(({ name, parentSpanId }) => name === 'POST /model' && parentSpanId === '')!;
  assert.notEqual(own.traceId, traceId);
  const everything = JSON.stringify([spans, received], (_, value: unknown) => (typeof value === 'bigint' ? 0 : value));
  assert.doesNotMatch(everything, /wonderful|kettle|secret/);
});

test('the endpoint for traces alone is used as it is, and a server error is the status of its span', async () => {
  const collector = await startCollector();
  const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/traces` };
  // A token id that the model lacks, so that onnxruntime fails.
  const failing = path.join(folder, 'failing');
  fs.cpSync(modelFolder, failing, { recursive: true });
  const file = path.join(failing, 'tokenizer.json');
  const tokenizer = JSON.parse(fs.readFileSync(file, 'utf8')) as { model: { vocab: Record<string, number> } };
  tokenizer.model.vocab['kettle'] = 99_999;
  fs.writeFileSync(file, JSON.stringify(tokenizer));
  const { status } = await serveWhile(
    env,
    async (post) => assert.equal(await post('/', { inputs: 'A kettle.' }), 500),
    failing,
  );
  collector.server.close();
  assert.equal(status, 0);
  assert.equal(collector.received[0]!.url, '/traces');
  const [request] = collector.spans.filter(({ kind }) => kind === 2);
  assert.deepEqual([request!.attributes['error.type'], request!.status], ['500', 2]);
  assert.equal(collector.received[0]!.resource['service.name'], 'tunebook');
});

test('without a collector requests are answered, the server stops, and the cause is reported', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_EXPORTER_OTLP_TIMEOUT: '300' };
  const { status, stdout, stderr } = await serveWhile(env, async (post) =>
    assert.equal(await post('/model', { data: { sentence: 'fine' } }), 200),
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /ECONNREFUSED.*The last traces could not be sent\. Check OTEL_EXPORTER_OTLP_ENDPOINT/);
});

test('OpenTelemetry is loaded only if the environment asks for traces', () => {
  const program = `
    const { createServer } = await import('./lib/dist/serving/server.js');
    const { openSentimentModel } = await import('./lib/dist/serving/sentiment.js');
    const { createRequire } = await import('node:module');
    const server = await createServer(await openSentimentModel(process.argv[1]), { tunebook: '0' });
    const { cache } = createRequire(import.meta.url);
    console.log(Object.keys(cache).some((file) => file.includes('@opentelemetry/sdk')));
    await server.app.close();`;
  const loaded = (variables: Record<string, string>) => {
    const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: '', ...variables };
    const argv = ['--input-type=module', '-e', program, modelFolder];
    const { stdout, stderr } = spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8', env });
    return stdout.trim() || stderr;
  };
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };
  assert.equal(loaded(endpoint), 'true');
  for (const variables of [
    {},
    { ...endpoint, OTEL_SDK_DISABLED: 'true' },
    { ...endpoint, OTEL_TRACES_EXPORTER: 'none' },
  ])
    assert.equal(loaded(variables), 'false', JSON.stringify(variables));
});
