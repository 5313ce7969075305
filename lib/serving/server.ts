/**
 * The scoring API of one model, with a file per protocol. Bodies are validated against schemas, from which the OpenAPI document is
 * generated. Errors are JSON with a message and a code.
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import rateLimiter from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import {
  ModelLoadError,
  OverloadedError,
  RateLimitError,
  RequestError,
  TimeoutError,
  UnknownModelError,
} from '../errors.js';
import type { BatcherOptions } from './batcher.js';
import { CurrentModel, type ActiveModel, type LoadedModel } from './current-model.js';
import { addPage } from './page.js';
import { domino } from './protocols/domino.js';
import { huggingFace } from './protocols/hugging-face.js';
import { mlflow } from './protocols/mlflow.js';
import { openInference } from './protocols/open-inference.js';
import type { ParsedRequest, ScoringService } from './protocols/protocol.js';
import type { SentimentModel } from './sentiment.js';
import { textsOfInput } from '../tokenizer/tokenizer.js';
import { addTracing, type RequestTrace } from './tracing.js';

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
  /** Maximum number of scoring requests per minute and address of a client. @default no limit */
  rateLimit?: number | undefined;
  /** Maximum size of a body in bytes. @default 1 MiB */
  bodyLimit?: number;
  /** Whether to serve the web page too. @default false */
  page?: boolean;
  /**
   * Opens and warms up the newest version of the model, which then replaces the served one. Clients request it with
   * `POST /v2/repository/models/NAME/load`. @default the model cannot be replaced
   */
  load?: () => Promise<LoadedModel>;
  /** Maximum number of texts per request. @default 1024 */
  maxTexts?: number;
}

/** The protocols. To add one, write its file and list it here. */
const protocols = [domino, huggingFace, mlflow, openInference];

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

/** Codes of errors that fastify reports. */
const codes: Record<number, string> = { 413: 'REQUEST_BODY_TOO_LARGE', 415: 'REQUEST_CONTENT_TYPE' };

/** Status, message and code of the response to a failed request. */
function describeError(error: FastifyError): { status: number; message: string; code: string } {
  const { message, code } = error;
  // The Open Inference Protocol specifies status 400 if a model cannot be loaded.
  if (error instanceof RequestError || error instanceof ModelLoadError) return { status: 400, message, code };
  if (error instanceof UnknownModelError) return { status: 404, message, code };
  if (error instanceof OverloadedError || error instanceof RateLimitError) return { status: 429, message, code };
  if (error instanceof TimeoutError) return { status: 504, message, code };
  if (error.validation) {
    const [first] = error.validation;
    const field = `body${(first?.instancePath ?? '').replaceAll('/', '.')}`;
    const property = first?.params['additionalProperty'] as string | undefined;
    return {
      status: 400,
      message: `${field} ${first?.message ?? 'is invalid'}${property ? `: '${property}'` : ''}. See /openapi.json.`,
      code: 'REQUEST_INVALID',
    };
  }
  const status = error.statusCode ?? 500;
  // Details of unexpected errors are only logged.
  if (status < 400 || status >= 500) return { status: 500, message: 'Internal error (logged).', code: 'UNEXPECTED' };
  const messages: Record<number, string> = {
    413: 'The body is too large. Send fewer texts per request.',
    415: 'Unsupported content type. Send JSON (application/json).',
  };
  return { status, message: messages[status] ?? message, code: codes[status] ?? 'REQUEST_INVALID' };
}

function createMetrics(name: string, current: CurrentModel) {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    name: 'tunebook_waiting_texts',
    help: 'Queued texts.',
    registers,
    collect() {
      this.set(current.waiting);
    },
  });
  new Gauge({
    name: 'tunebook_model_info',
    help: 'The served model.',
    labelNames: ['name', 'version'],
    registers,
    collect() {
      this.reset();
      this.set({ name, version: current.active.version }, 1);
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
  /** The served model. The caller disposes it after the server has stopped; the server disposes those that it replaces. */
  readonly model: SentimentModel;
  /**
   * Stops the server without losing requests: reports that it is not ready, answers further requests with
   * `connection: close`, and closes once no more requests arrive.
   */
  drain(): Promise<void>;
}

/** Creates the scoring API of a model that is loaded and warmed up. */
export async function createServer(model: SentimentModel, options: ServerOptions): Promise<ScoringServer> {
  const {
    name = 'sentiment',
    version = '1',
    token,
    tunebook,
    rateLimit,
    bodyLimit = 1 << 20,
    maxTexts = 1024,
  } = options;
  const current = new CurrentModel({ model, version }, options);
  const metrics = createMetrics(name, current);
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
  const isHealth = (url: string) => /^\/(health|v2\/health|ping)(\/|\?|$)/.test(url);
  // Regular requests of probes and of Prometheus are no use of the model.
  const isTraced = (url: string) => !isHealth(url) && !url.startsWith('/metrics');
  const tracing = await addTracing(app, { version: tunebook, isTraced });
  let draining = false;
  let activeRequests = 0;
  let lastActivity = performance.now();
  app.addHook('onRequest', (_, reply, done) => {
    activeRequests++;
    lastActivity = performance.now();
    if (draining) reply.header('connection', 'close');
    done();
  });
  app.addHook('onRequest', async (request, reply) => {
    if (token !== undefined && !isHealth(request.url) && !isAllowed(request.headers.authorization, token))
      await reply.code(401).header('www-authenticate', 'Bearer, Basic realm="tunebook"').send({
        error: 'A valid token is required. Send the header authorization: Bearer …',
        code: 'REQUEST_UNAUTHORIZED',
      });
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    metrics.requests.inc({ route, status: reply.statusCode });
    metrics.seconds.observe({ route }, reply.elapsedTime / 1000);
    activeRequests--;
    lastActivity = performance.now();
    done();
  });
  if (rateLimit !== undefined)
    // Each response states the limit and what is left of it, a rejection also when to retry.
    await app.register(rateLimiter, {
      max: rateLimit,
      timeWindow: 60_000,
      allowList: ({ method }) => method !== 'POST',
      errorResponseBuilder: (_, { max, ttl }) => new RateLimitError(max, Math.ceil(ttl / 1000)),
    });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { status, message, code } = describeError(error);
    if (error instanceof OverloadedError) reply.header('retry-after', error.retryAfter);
    if ((status >= 500 && status !== 504) || error instanceof ModelLoadError) request.log.error(error);
    return reply.code(status).send({ error: message, code });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: `No route for ${request.method} ${request.url.split('?')[0]}. See /openapi.json.`,
      code: 'REQUEST_NO_ROUTE',
    }),
  );
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Tunebook', version: tunebook },
      ...(token !== undefined && {
        components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
        security: [{ token: [] }],
      }),
    },
  });

  const score = async (
    { model, batcher }: ActiveModel,
    { texts, formatResponse }: ParsedRequest,
    trace: RequestTrace | undefined,
  ): Promise<unknown> => {
    if (texts.length > maxTexts)
      throw new RequestError(
        'REQUEST_TOO_LARGE',
        `The request has ${texts.length} texts; the maximum is ${maxTexts}. Split it into several requests.`,
        { texts: texts.length, limit: maxTexts },
      );
    const empty = texts.findIndex((input) => textsOfInput(input).some((text) => text.trim() === ''));
    if (empty !== -1)
      throw new RequestError(
        'REQUEST_INVALID',
        `There is nothing to score: text ${empty + 1} of ${texts.length} is empty. Leave it out.`,
        { text: empty + 1 },
      );
    const probabilities = await batcher.score(texts, trace);
    metrics.scored.inc(texts.length);
    return formatResponse(probabilities, model);
  };
  const isReady = () => !draining;
  const { load } = options;
  const service: ScoringService = {
    name,
    tunebook,
    isReady,
    load: load && (() => current.replace(load)),
    model: (request) => {
      const { active } = current;
      const { textColumns, textPairColumn } = active.model.preprocessing?.reading ?? {};
      return {
        version: active.version,
        labels: active.model.labels,
        problemType: active.model.problemType,
        textColumns,
        textPairColumn,
        score: (parsed) => score(active, parsed, tracing?.traceOf(request)),
      };
    },
  };

  // @fastify/swagger documents only routes that are added after it has loaded.
  app.after(() => {
    for (const protocol of protocols) protocol(app, service);
    const health = { schema: { tags: ['Health'] } };
    app.get('/health/live', health, () => ({ live: true }));
    for (const url of ['/health', '/health/ready', '/ping'])
      app.get(url, health, (_, reply) => reply.code(isReady() ? 200 : 503).send({ ready: isReady() }));
    app.get('/metrics', { schema: { hide: true } }, async (_, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
    );
    app.get('/openapi.json', { schema: { hide: true } }, () => {
      const document = app.swagger();
      const { labels, problemType } = current.active.model;
      const description = {
        single_label_classification: `Classifies reviews: ${labels.join(', ')}.`,
        multi_label_classification: `Predicts which classes apply to reviews: ${labels.join(', ')}.`,
        regression: `Predicts the number '${labels[0]}' of reviews.`,
      }[problemType];
      return { ...document, info: { ...document.info, description } };
    });
  });
  if (options.page) addPage(app, () => current.active.model);
  await app.ready();
  return {
    app,
    get model() {
      return current.active.model;
    },
    async drain() {
      draining = true;
      const started = performance.now();
      const isBusy = () => activeRequests > 0 || performance.now() - lastActivity < idleTime;
      while (isBusy() && performance.now() - started < maxDrainTime) await pause(20);
      await app.close();
    },
  };
}
