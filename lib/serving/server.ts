/**
 * The scoring API: the original project's request, Hugging Face's, MLflow's and the Open Inference Protocol's over one model.
 * Bodies are checked against their schemas, which are also the OpenAPI document; errors are JSON that says what was wrong.
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
  askedByDomino,
  askedByHuggingFace,
  askedByInfer,
  askedByMlflow,
  inferOutputs,
  type Asked,
  type DominoBody,
  type HuggingFaceBody,
  type InferBody,
  type MlflowBody,
} from './protocols.js';
import type { SentimentModel } from './sentiment.js';

/** Options of a scoring server. */
export interface ServerOptions extends BatcherOptions {
  /** The model's name in paths and answers. @default 'sentiment' */
  name?: string;
  /** The run that it is of, for answers. @default '1' */
  version?: string;
  /** Tunebook's version, for answers. */
  tunebook: string;
  /** Asked for with every request but those after the server's health. @default none */
  token?: string | undefined;
  /** Bytes of a body at most. @default 1 MiB */
  bodyLimit?: number;
  /** Serves the web page too, with the model of this folder for the browser. @default no page */
  page?: string;
  /** Texts of a request at most. @default 1024 */
  mostTexts?: number;
}

const text = { type: 'string' } as const;
const texts = { oneOf: [text, { type: 'array', items: text }] } as const;
const verdict = {
  type: 'object',
  properties: { label: text, score: { type: 'number', minimum: 0, maximum: 1 } },
} as const;
const failure = { type: 'object', properties: { error: text } } as const;
const failures = Object.fromEntries([400, 401, 413, 415, 429, 503, 504].map((status) => [status, failure]));

/** Whether a request holds the token: as Bearer, or as the password of Basic, as Domino's clients send it. */
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
  // Of equal length and compared to the end: how long it takes tells nothing.
  const digest = (word: string) => createHash('sha256').update(word).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** What a person who sent a wrong body is told. */
function explained(error: FastifyError): { status: number; words: string } {
  if (error instanceof RequestError) return { status: 400, words: error.message };
  if (error instanceof TimeoutError) return { status: 504, words: error.message };
  if (error.validation) {
    const [first] = error.validation;
    const place = `body${(first?.instancePath ?? '').replaceAll('/', '.')}`;
    return { status: 400, words: `${place} ${first?.message ?? 'is not as it should be'}. See /openapi.json.` };
  }
  const status = error.statusCode ?? 500;
  if (status === 413) return { status, words: 'The body is too large.' };
  if (status === 415) return { status, words: 'Send JSON: content-type: application/json.' };
  if (status >= 400 && status < 500) return { status, words: error.message };
  // What was not foreseen is for the server's own eyes.
  return { status: 500, words: 'Something went wrong here. It was written down.' };
}

function instruments(batcher: Batcher) {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    name: 'tunebook_waiting_texts',
    help: 'Texts that wait to be scored.',
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
    scored: new Counter({ name: 'tunebook_texts_total', help: 'Texts that were scored.', registers }),
    seconds: new Histogram({
      name: 'tunebook_request_seconds',
      help: 'Time from a request to its answer.',
      labelNames: ['route'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
  };
}

/** Milliseconds without a request after which none is on its way any more, and how long that is waited for at most. */
const quiet = 300;
const longestDrain = 10_000;

/** A scoring server. */
export interface ScoringServer {
  /** Not listening yet. */
  app: FastifyInstance;
  /**
   * Says that it is not ready, answers what comes meanwhile with the word that the connection ends, and closes when nothing comes
   * any more: what a client had sent is answered.
   */
  drain(): Promise<void>;
}

/** The API over a model that is loaded and warm. */
export async function createServer(model: SentimentModel, options: ServerOptions): Promise<ScoringServer> {
  const { name = 'sentiment', version = '1', token, tunebook, bodyLimit = 1 << 20, mostTexts = 1024 } = options;
  const batcher = new Batcher(model, options);
  const metrics = instruments(batcher);
  const app = fastify({
    bodyLimit,
    // Connections that nothing is asked on must not keep it from ending.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    logger: { level: 'error' },
    // A number is no text, and a field too much is a mistake that somebody should know of.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } },
  });
  let draining = false;
  let underWay = 0;
  let lastSeen = performance.now();
  app.addHook('onRequest', (_, reply, done) => {
    underWay++;
    lastSeen = performance.now();
    if (draining) reply.header('connection', 'close');
    done();
  });
  const isHealth = (url: string) => /^\/(health|v2\/health|ping)(\/|\?|$)/.test(url);
  app.addHook('onRequest', async (request, reply) => {
    if (token !== undefined && !isHealth(request.url) && !isAllowed(request.headers.authorization, token))
      await reply
        .code(401)
        .header('www-authenticate', 'Bearer, Basic realm="tunebook"')
        .send({ error: 'A token is needed: authorization: Bearer …' });
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    metrics.requests.inc({ route, status: reply.statusCode });
    metrics.seconds.observe({ route }, reply.elapsedTime / 1000);
    underWay--;
    lastSeen = performance.now();
    done();
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof OverloadedError)
      return reply.code(429).header('retry-after', error.retryAfter).send({ error: error.message });
    const { status, words } = explained(error);
    if (status >= 500 && status !== 504) request.log.error(error);
    return reply.code(status).send({ error: words });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `There is no ${request.method} ${request.url.split('?')[0]}. See /openapi.json.` }),
  );
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Tunebook', version: tunebook, description: `Verdicts on reviews: ${model.labels.join(', ')}.` },
      ...(token !== undefined && {
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        security: [{ token: [] }],
      }),
    },
  });

  const scored = async ({ texts, answer }: Asked): Promise<unknown> => {
    if (texts.length > mostTexts)
      throw Object.assign(
        new RequestError(
          'REQUEST_TOO_LARGE',
          `${texts.length} texts are more than the ${mostTexts} that a request may have.`,
          { texts: texts.length, limit: mostTexts },
        ),
      );
    const shares = await batcher.score(texts);
    metrics.scored.inc(texts.length);
    return answer(shares, model.labels);
  };
  type Body<Content> = FastifyRequest<{ Body: Content }>;
  const schema = (tag: string, summary: string, body: object, response: object) => ({
    schema: { tags: [tag], summary, body, response: { 200: response, ...failures } },
  });

  // @fastify/swagger knows the routes that come after it.
  app.after(() => {
    const domino = async (request: Body<DominoBody>) => {
      const from = performance.now();
      const result = await scored(askedByDomino(request.body));
      const milliseconds = Math.round(performance.now() - from);
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
      'A sentence or several, as the original project sends them',
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

    const huggingFace = (request: Body<HuggingFaceBody>) => scored(askedByHuggingFace(request.body));
    const huggingFaceSchema = schema(
      'Hugging Face',
      'Text classification: all classes with their probabilities, the likeliest first',
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
        { type: 'object', properties: { predictions: { type: 'array', items: verdict } } },
      ),
      (request: Body<MlflowBody>) => scored(askedByMlflow(request.body)),
    );

    const live = () => ({ live: true });
    const ready = (_: FastifyRequest, reply: FastifyReply) =>
      reply.code(draining ? 503 : 200).send({ ready: !draining });
    const health = { schema: { tags: ['Health'] } };
    app.get('/health/live', health, live);
    app.get('/health/ready', health, ready);
    for (const place of ['/health', '/ping']) app.get(place, health, ready);
    app.get('/version', { schema: { tags: ['MLflow'] } }, (_, reply) => reply.type('text/plain').send(tunebook));

    const inference = { schema: { tags: ['Open Inference Protocol'] } };
    app.get('/v2', inference, () => ({ name: 'tunebook', version: tunebook, extensions: [] }));
    app.get('/v2/health/live', inference, live);
    app.get('/v2/health/ready', inference, ready);
    type Named = { Params: { model: string; version?: string } };
    const known = ({ params }: { params: Named['Params'] }) => {
      if (params.model !== name || (params.version !== undefined && params.version !== version))
        throw Object.assign(
          new Error(
            `There is no model ${params.model}${params.version ? `, version ${params.version}` : ''} here, but ${name}, version ${version}.`,
          ),
          {
            statusCode: 404,
          },
        );
    };
    for (const place of ['/v2/models/:model', '/v2/models/:model/versions/:version']) {
      app.get<Named>(place, inference, (request) => {
        known(request);
        return {
          name,
          versions: [version],
          platform: 'onnxruntime_onnxv1',
          inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
          outputs: inferOutputs,
        };
      });
      app.get<Named>(`${place}/ready`, inference, (request, reply) => {
        known(request);
        return ready(request, reply);
      });
      app.post<Named & { Body: InferBody }>(
        `${place}/infer`,
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
          known(request);
          return scored(askedByInfer(request.body, { name, version }));
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
      const from = performance.now();
      const isBusy = () => underWay > 0 || performance.now() - lastSeen < quiet;
      while (isBusy() && performance.now() - from < longestDrain) await pause(20);
      await app.close();
    },
  };
}
