/**
 * OpenTelemetry traces of the scoring API, if OpenTelemetry's standard variables name a collector. A request's spans are the
 * request itself, its time in the queue, and each call of the model with some of its texts. No span contains texts. The
 * packages are imported only if traces are sent.
 */
import type { Context, Span } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** The trace of a request. */
export interface RequestTrace {
  /**
   * Adds a step that has ended.
   * @param start when it began, in the time of performance.now()
   * @param end when it ended, in the same time
   */
  addStep(name: string, start: number, end: number, attributes?: Record<string, number>): void;
}

/** Traces the requests of a server. */
export interface Tracing {
  /** The trace of a request; undefined if the request is not traced. */
  traceOf(request: FastifyRequest): RequestTrace | undefined;
}

/** Whether the environment asks for traces, as OpenTelemetry specifies. */
const isRequested = (environment: NodeJS.ProcessEnv): boolean =>
  Boolean(environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] || environment['OTEL_EXPORTER_OTLP_ENDPOINT']) &&
  environment['OTEL_SDK_DISABLED']?.toLowerCase() !== 'true' &&
  environment['OTEL_TRACES_EXPORTER'] !== 'none';

/**
 * Adds traces to a server that has no routes yet; they are sent in batches, and the rest when the server closes.
 * @param options names of the service, and what to trace
 * @param options.version version of the service
 * @param options.isTraced whether to trace the requests of a URL
 * @returns undefined if the environment does not ask for traces
 */
export async function addTracing(
  app: FastifyInstance,
  { version, isTraced }: { version: string; isTraced: (url: string) => boolean },
): Promise<Tracing | undefined> {
  if (!isRequested(process.env)) return undefined;
  const [api, core, resources, sdk, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/core'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
  ]);
  // Without a logger, failures to send traces are not reported.
  const level = core.diagLogLevelFromString(core.getStringFromEnv('OTEL_LOG_LEVEL')) ?? api.DiagLogLevel.WARN;
  api.diag.setLogger(new api.DiagConsoleLogger(), level);
  const provider = new sdk.BasicTracerProvider({
    // The standard variables, such as OTEL_SERVICE_NAME, override these attributes.
    resource: resources
      .defaultResource()
      .merge(resources.resourceFromAttributes({ 'service.name': 'tunebook', 'service.version': version }))
      .merge(resources.detectResources({ detectors: [resources.envDetector] })),
    spanProcessors: [new sdk.BatchSpanProcessor(new OTLPTraceExporter())],
  });
  const tracer = provider.getTracer('tunebook', version);
  const propagator = new core.W3CTraceContextPropagator();
  const spans = new WeakMap<FastifyRequest, { span: Span; context: Context }>();
  // Names of spans and attributes are those of OpenTelemetry's semantic conventions for HTTP servers.
  app.addHook('onRequest', (request, _, done) => {
    if (isTraced(request.url)) {
      const { method } = request;
      const { url: route } = request.routeOptions;
      const parent = propagator.extract(api.ROOT_CONTEXT, request.headers, api.defaultTextMapGetter);
      const attributes = {
        'http.request.method': method,
        'http.route': route,
        'url.path': request.url.split('?')[0]!,
        'url.scheme': request.protocol,
        'client.address': request.ip,
        'user_agent.original': request.headers['user-agent'],
      };
      const name = route === undefined ? method : `${method} ${route}`;
      const span = tracer.startSpan(name, { kind: api.SpanKind.SERVER, attributes }, parent);
      spans.set(request, { span, context: api.trace.setSpan(parent, span) });
    }
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const span = spans.get(request)?.span;
    span?.setAttribute('http.response.status_code', reply.statusCode);
    if (reply.statusCode >= 500)
      span?.setAttribute('error.type', String(reply.statusCode)).setStatus({ code: api.SpanStatusCode.ERROR });
    span?.end();
    done();
  });
  app.addHook('onClose', () =>
    provider.shutdown().catch((error: unknown) => {
      app.log.error(error, 'The last traces could not be sent. Check OTEL_EXPORTER_OTLP_ENDPOINT and the collector.');
    }),
  );
  return {
    traceOf(request) {
      const traced = spans.get(request);
      if (!traced?.span.isRecording()) return undefined;
      return {
        addStep(name, start, end, attributes = {}) {
          const time = (milliseconds: number) => performance.timeOrigin + milliseconds;
          tracer.startSpan(name, { startTime: time(start), attributes }, traced.context).end(time(end));
        },
      };
    },
  };
}
