/** `tunebook serve RUN`: the scoring API of an exported model, by default on 127.0.0.1 only. */
import path from 'node:path';
import { SettingsError } from '../errors.js';
import { onEndingSignal } from '../signals.js';
import { createServer } from '../serving/server.js';
import type { LoadedModel } from '../serving/current-model.js';
import { openSentimentModel, type SentimentModelOptions } from '../serving/sentiment.js';
import { version } from '../version.js';
import { readInteger } from './integer-argument.js';
import { describeMaxLength, modelFolder } from './score.js';

/** Options of the command line. */
export interface ServeOptions {
  host: string;
  port: string;
  precision: string;
  calibrated?: boolean;
  name?: string;
  timeout: string;
  bodyLimit: string;
  queue: string;
  rateLimit?: string;
}

/** Converts an error of listening on an address into a SettingsError, if its cause is known. */
function listenError(error: unknown, host: string, port: number): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new SettingsError(
        'PORT_UNAVAILABLE',
        `Cannot listen on ${host}:${port}: another process uses this port. ` +
          `Stop it, or choose another port: --port ${port + 1}, or --port 0 for any free port.`,
        { host, port },
      );
    case 'EACCES':
      return new SettingsError(
        'PORT_UNAVAILABLE',
        `Cannot listen on port ${port}: this user has no permission; most systems reserve ports below 1024 for root. ` +
          'Choose a higher port: --port 8000.',
        { host, port },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new SettingsError(
        'HOST_UNAVAILABLE',
        `--host is '${host}', which is not an address of this machine. ` +
          'Use 127.0.0.1 for this machine only, or 0.0.0.0 for all networks.',
        { host, port },
      );
    default:
      return error;
  }
}

/** Opens and warms up the model of a run, or the newest one. Called again, it finds a newer run or export. */
async function loadModel(name: string | undefined, options: SentimentModelOptions): Promise<LoadedModel> {
  const folder = modelFolder(name);
  const model = await openSentimentModel(folder, options);
  // Warm-up: the first forward pass of each length is slower than the following ones.
  const texts = ['warm', 'warm '.repeat(60), 'warm '.repeat(200)];
  const inputs = model.takesPairs ? texts.map((text) => ({ text, pair: 'warm' })) : texts;
  await model.predictSentiment(inputs).catch(async (error: unknown) => {
    await model.dispose();
    throw error;
  });
  return { model, version: path.basename(path.dirname(path.resolve(folder))) };
}

const isLocal = (host: string) => ['127.0.0.1', '::1', 'localhost'].includes(host);

/**
 * Runs the server until a signal stops it.
 * @param page whether to serve the web page too
 * @throws SettingsError if an option is invalid or the address is unavailable; RunError, ModelFormatError
 */
export async function serve(name: string | undefined, options: ServeOptions, page = false): Promise<void> {
  const port = readInteger('--port', options.port, 0, 65535);
  const timeout = readInteger('--timeout', options.timeout, 1, 3600);
  const bodyLimit = readInteger('--body-limit', options.bodyLimit, 1024, 1 << 30);
  const maxQueuedTexts = readInteger('--queue', options.queue, 1, 1_000_000);
  const rateLimit =
    options.rateLimit === undefined ? undefined : readInteger('--rate-limit', options.rateLimit, 1, 1_000_000);
  if (options.precision !== 'float32' && options.precision !== 'int8')
    throw new SettingsError('SETTING_INVALID', `--precision is '${options.precision}'; it must be float32 or int8.`, {
      name: '--precision',
      value: options.precision,
    });
  const { precision, calibrated = false } = options;
  const token = process.env['TUNEBOOK_SERVE_TOKEN'] || undefined;
  if (!isLocal(options.host) && token === undefined)
    console.error(
      `Warning: ${options.host}:${port} accepts requests without a token. Set TUNEBOOK_SERVE_TOKEN to require one.`,
    );
  const { model, version: modelVersion } = await loadModel(name, { precision, calibrated });
  const { folder } = model;
  const server = await createServer(model, {
    tunebook: version,
    timeout,
    bodyLimit,
    maxQueuedTexts,
    rateLimit,
    token,
    ...(options.name !== undefined && { name: options.name }),
    page,
    version: modelVersion,
    load: async () => {
      const loaded = await loadModel(name, { precision, calibrated });
      console.log(`Loaded ${loaded.model.folder}, which now answers requests.`);
      return loaded;
    },
  });
  const address = await server.app.listen({ host: options.host, port }).catch((error: unknown) => {
    throw listenError(error, options.host, port);
  });
  console.log(`Texts are truncated to ${describeMaxLength(model)}.`);
  console.log(
    page
      ? `Serving the web page of ${folder} at ${address}`
      : `Serving ${folder} (${precision}${calibrated ? ', calibrated' : ''}) at ${address}; API description: ${address}/openapi.json`,
  );
  await new Promise<void>((resolve) => {
    let stopping = false;
    onEndingSignal((name) => {
      // A second signal stops without waiting for pending requests.
      if (stopping) process.exit(1);
      stopping = true;
      console.log(`${name}: answering pending requests, then stopping.`);
      resolve();
    });
  });
  await server.drain();
  await server.model.dispose();
}
