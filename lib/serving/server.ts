/**
 * The scoring API: the protocols of the original project, Hugging Face, MLflow and Open Inference for one model. Bodies
 * are validated against schemas, from which the OpenAPI document is generated. Errors are JSON with a message.
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import swagger from '@fastify/swagger';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { OverloadedError, RequestError, TimeoutError } from '../errors.js';
import { Batcher, type BatcherOptions } from './batcher.js';
import { addPage } from './page.js';
import {
  inferOutputs,
  parseDominoRequest,
  parseHuggingFaceRequest,
  parseInferRequest,
  parseMlflowRequest,
  type DominoBody,
  type HuggingFaceBody,
  type InferBody,
  type MlflowBody,
  type ParsedRequest,
} from './protocols.js';
import type { SentimentModel } from './sentiment.js';

/** Options of a scoring server. */
export interface ServerOptions extends BatcherOptions {
  /** The model's name in paths and responses. @default 'sentiment' */
  name?: string;
  /** The model's version in paths and responses, such as the name of its run. @default '1' */
  version?: string;
  /** Tunebook's version in responses. */
  tunebook: string;
  /** The token that every request except health checks must contain. @default none */
  token?: string | undefined;
  /** Maximum size of a body in bytes. @default 1 MiB */
  bodyLimit?: number;
  /** Folder of the exported model for scoring in the browser; serves the web page too. @default no page */
  page?: string;
  /** Maximum number of texts per request. @default 1024 */
  maxTexts?: number;
}

const text = { type: 'string' } as const;
const texts = { oneOf: [text, { type: 'array', items: text }] } as const;
const predictionSchema = {
  type: 'object',
  properties: { label: text, score: { type: 'number', minimum: 0, maximum: 1 } },
} as const;
const failure = { type: 'object', properties: { error: text } } as const;
const failures = Object.fromEntries([400, 401, 413, 415, 429, 503, 504].map((status) => [status, failure]));

/** Whether a request contains the token: as Bearer, or as the password of Basic, as Domino's clients send it. */
function isAllowed(header: string | undefined, token: string): boolean {
  const [scheme, value = ''] = (header ?? '').split(' ');
  const given =
    scheme?.toLowerCase() === 'basic'
      ? Buffer.from(value, 'base64')
          .toString('utf8')
          .replace(/^[^:]*:/, '')
      : scheme?.toLowerCase() === 'bearer'
        ? value
        : '';
  // Digests have equal length and are compared in constant time, so that timing reveals nothing about the token.
  const digest = (value: string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** Status and message of the response to a failed request. */
function describeError(error: FastifyError): { status: number; message: string } {
  if (error instanceof RequestError) return { status: 400, message: error.message };
  if (error instanceof TimeoutError) return { status: 504, message: error.message };
  if (error.validation) {
    const [first] = error.validation;
    const field = `body${(first?.instancePath ?? '').replaceAll('/', '.')}`;
    return { status: 400, message: `${field} ${first?.message ?? 'is invalid'}. See /openapi.json.` };
  }
  const status = error.statusCode ?? 500;
  if (status === 413) return { status, message: 'The body is too large. Send fewer texts per request.' };
  if (status === 415) return { status, message: 'Unsupported content type. Send JSON (application/json).' };
  if (status >= 400 && status < 500) return { status, message: error.message };
  // Details of unexpected errors are only logged.
  return { status: 500, message: 'Internal error (logged).' };
}

function createMetrics(batcher: Batcher) {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    name: 'tunebook_waiting_texts',
    help: 'Queued texts.',
    registers,
    collect() {
      this.set(batcher.waiting);
    },
  });
  return {
    registry,
    requests: new Counter({
      name: 'tunebook_requests_total',
      help: 'Requests by route and status.',
      labelNames: ['route', 'status'],
      registers,
    }),
    scored: new Counter({ name: 'tunebook_texts_total', help: 'Texts scored.', registers }),
    seconds: new Histogram({
      name: 'tunebook_request_seconds',
      help: 'Time from request to response in seconds.',
      labelNames: ['route'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
  };
}

/** Milliseconds without a request after which draining ends. */
const idleTime = 300;
/** Maximum duration of draining in milliseconds. */
const maxDrainTime = 10_000;

/** A scoring server. */
export interface ScoringServer {
  /** The HTTP server, not yet listening. */
  app: FastifyInstance;
  /**
   * Stops the server without losing requests: reports that it is not ready, answers further requests with
   * `connection: close`, and closes once no more requests arrive.
   */
  drain(): Promise<void>;
}

/** Creates the scoring API of a model that is loaded and warmed up. */
export async function createServer(model: SentimentModel, options: ServerOptions): Promise<ScoringServer> {
  const { name = 'sentiment', version = '1', token, tunebook, bodyLimit = 1 << 20, maxTexts = 1024 } = options;
  const batcher = new Batcher(model, options);
  const metrics = createMetrics(batcher);
  const app = fastify({
    bodyLimit,
    // Idle connections must not keep the server from closing.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    logger: { level: 'error' },
    // Numbers are not converted to text, and additional fields are errors, so that mistakes in a request are reported.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } },
  });
  let draining = false;
  let activeRequests = 0;
  let lastActivity = performance.now();
  app.addHook('onRequest', (_, reply, done) => {
    activeRequests++;
    lastActivity = performance.now();
    if (draining) reply.header('connection', 'close');
    done();
  });
  const isHealth = (url: string) => /^\/(health|v2\/health|ping)(\/|\?|$)/.test(url);
  app.addHook('onRequest', async (request, reply) => {
    if (token !== undefined && !isHealth(request.url) && !isAllowed(request.headers.authorization, token))
      await reply
        .code(401)
        .header('www-authenticate', 'Bearer, Basic realm="tunebook"')
        .send({ error: 'A valid token is required. Send the header authorization: Bearer …' });
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    metrics.requests.inc({ route, status: reply.statusCode });
    metrics.seconds.observe({ route }, reply.elapsedTime / 1000);
    activeRequests--;
    lastActivity = performance.now();
    done();
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof OverloadedError)
      return reply.code(429).header('retry-after', error.retryAfter).send({ error: error.message });
    const { status, message } = describeError(error);
    if (status >= 500 && status !== 504) request.log.error(error);
    return reply.code(status).send({ error: message });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `No route for ${request.method} ${request.url.split('?')[0]}. See /openapi.json.` }),
  );
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Tunebook', version: tunebook, description: `Classifies reviews: ${model.labels.join(', ')}.` },
      ...(token !== undefined && {
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        security: [{ token: [] }],
      }),
    },
  });

  const score = async ({ texts, formatResponse }: ParsedRequest): Promise<unknown> => {
    if (texts.length > maxTexts)
      throw Object.assign(
        new RequestError(
          'REQUEST_TOO_LARGE',
          `The request has ${texts.length} texts; the maximum is ${maxTexts}. Split it into several requests.`,
          { texts: texts.length, limit: maxTexts },
        ),
      );
    const probabilities = await batcher.score(texts);
    metrics.scored.inc(texts.length);
    return formatResponse(probabilities, model.labels);
  };
  type Body<Content> = FastifyRequest<{ Body: Content }>;
  const schema = (tag: string, summary: string, body: object, response: object) => ({
    schema: { tags: [tag], summary, body, response: { 200: response, ...failures } },
  });

  // @fastify/swagger documents only routes that are added after it has loaded.
  app.after(() => {
    const domino = async (request: Body<DominoBody>) => {
      const started = performance.now();
      const result = await score(parseDominoRequest(request.body));
      const milliseconds = Math.round(performance.now() - started);
      return {
        result,
        model_time_in_ms: milliseconds,
        timing: milliseconds,
        request_id: request.id,
        release: {
          harness_version: tunebook,
          registered_model_name: name,
          registered_model_version: version,
          model_version_number: version,
        },
      };
    };
    const dominoSchema = schema(
      'Domino',
      'One sentence or several, in the format of the original project',
      {
        type: 'object',
        properties: {
          data: { type: 'object', properties: { sentence: texts, sentences: texts }, additionalProperties: false },
          parameters: { type: 'array', items: texts, minItems: 1, maxItems: 1 },
        },
        additionalProperties: false,
      },
      { type: 'object', additionalProperties: true },
    );
    app.post('/model', dominoSchema, domino);
    app.post('/models/:id/latest/model', dominoSchema, domino);

    const huggingFace = (request: Body<HuggingFaceBody>) => score(parseHuggingFaceRequest(request.body));
    const huggingFaceSchema = schema(
      'Hugging Face',
      'Text classification: all classes with their probabilities, in descending order',
      {
        type: 'object',
        required: ['inputs'],
        properties: {
          inputs: texts,
          parameters: {
            type: 'object',
            properties: {
              top_k: { type: ['integer', 'null'], minimum: 1 },
              function_to_apply: { enum: ['softmax', null] },
            },
            additionalProperties: false,
          },
          options: { type: 'object' },
        },
        additionalProperties: false,
      },
      { type: 'array' },
    );
    app.post('/', huggingFaceSchema, huggingFace);
    app.post('/predict', huggingFaceSchema, huggingFace);

    app.post(
      '/invocations',
      schema(
        'MLflow',
        'inputs, instances, dataframe_split or dataframe_records',
        {
          type: 'object',
          properties: {
            inputs: {},
            instances: {},
            dataframe_split: {
              type: 'object',
              required: ['columns', 'data'],
              properties: {
                columns: { type: 'array', items: text },
                data: { type: 'array', items: { type: 'array' } },
                index: { type: 'array' },
              },
              additionalProperties: false,
            },
            dataframe_records: { type: 'array', items: { type: 'object' } },
            params: { type: 'object' },
          },
          additionalProperties: false,
        },
        { type: 'object', properties: { predictions: { type: 'array', items: predictionSchema } } },
      ),
      (request: Body<MlflowBody>) => score(parseMlflowRequest(request.body)),
    );

    const live = () => ({ live: true });
    const ready = (_: FastifyRequest, reply: FastifyReply) =>
      reply.code(draining ? 503 : 200).send({ ready: !draining });
    const health = { schema: { tags: ['Health'] } };
    app.get('/health/live', health, live);
    app.get('/health/ready', health, ready);
    for (const url of ['/health', '/ping']) app.get(url, health, ready);
    app.get('/version', { schema: { tags: ['MLflow'] } }, (_, reply) => reply.type('text/plain').send(tunebook));

    const inference = { schema: { tags: ['Open Inference Protocol'] } };
    app.get('/v2', inference, () => ({ name: 'tunebook', version: tunebook, extensions: [] }));
    app.get('/v2/health/live', inference, live);
    app.get('/v2/health/ready', inference, ready);
    type ModelRoute = { Params: { model: string; version?: string } };
    const checkModel = ({ params }: { params: ModelRoute['Params'] }) => {
      if (params.model !== name || (params.version !== undefined && params.version !== version))
        throw Object.assign(
          new Error(
            `Unknown model ${params.model}${params.version ? `, version ${params.version}` : ''}. Available: ${name}, version ${version}.`,
          ),
          {
            statusCode: 404,
          },
        );
    };
    for (const url of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
      app.get<ModelRoute>(url, inference, (request) => {
        checkModel(request);
        return {
          name,
          versions: [version],
          platform: 'onnxruntime_onnxv1',
          inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
          outputs: inferOutputs,
        };
      });
      app.get<ModelRoute>(`${url}/ready`, inference, (request, reply) => {
        checkModel(request);
        return ready(request, reply);
      });
      app.post<ModelRoute & { Body: InferBody }>(
        `${url}/infer`,
        schema(
          'Open Inference Protocol',
          'One input of texts as BYTES; outputs label, score and probabilities',
          {
            type: 'object',
            required: ['inputs'],
            properties: {
              id: text,
              parameters: { type: 'object' },
              inputs: {
                type: 'array',
                items: {
                  type: 'object',
                  required: ['name', 'shape', 'datatype', 'data'],
                  properties: {
                    name: text,
                    shape: { type: 'array', items: { type: 'integer', minimum: 0 } },
                    datatype: text,
                    data: { type: 'array' },
                    parameters: { type: 'object' },
                  },
                  additionalProperties: false,
                },
              },
              outputs: {
                type: 'array',
                items: {
                  type: 'object',
                  required: ['name'],
                  properties: { name: text, parameters: { type: 'object' } },
                },
              },
            },
            additionalProperties: false,
          },
          { type: 'object', additionalProperties: true },
        ),
        (request) => {
          checkModel(request);
          return score(parseInferRequest(request.body, { name, version }));
        },
      );
    }

    app.get('/metrics', { schema: { hide: true } }, async (_, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
    );
    app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  });
  if (options.page !== undefined) addPage(app, options.page);
  await app.ready();
  return {
    app,
    async drain() {
      draining = true;
      const started = performance.now();
      const isBusy = () => activeRequests > 0 || performance.now() - lastActivity < idleTime;
      while (isBusy() && performance.now() - started < maxDrainTime) await pause(20);
      await app.close();
    },
  };
}
