/** `tunebook serve RUN`: the scoring API of an exported model, on this machine alone unless told otherwise. */
import path from 'node:path';
import { SettingsError } from '../errors.js';
import { onEndingSignal } from '../signals.js';
import { createServer } from '../serving/server.js';
import { openSentimentModel } from '../serving/sentiment.js';
import { version } from '../version.js';
import { modelFolder } from './score.js';

export interface ServeOptions {
  host: string;
  port: string;
  precision: string;
  name?: string;
  timeout: string;
  bodyLimit: string;
  queue: string;
}

function count(flag: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (value.trim() === '' || !Number.isInteger(number) || number < least || number > most)
    throw new SettingsError(
      'SETTING_INVALID',
      `${flag} is '${value}'; it must be a whole number from ${least} to ${most}.`,
      { name: flag, value },
    );
  return number;
}

/** Why nothing can listen at an address, and what to do. */
function listenError(error: unknown, host: string, port: number): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return new SettingsError(
        'PORT_UNAVAILABLE',
        `Port ${port} of ${host} is in use by another process. Stop that, or name another port: --port ${port + 1}, or --port 0 for any that is free.`,
        { host, port },
      );
    case 'EACCES':
      return new SettingsError(
        'PORT_UNAVAILABLE',
        `This user may not listen at port ${port}: ports below 1024 are root's on most systems. Name a higher one: --port 8000.`,
        { host, port },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new SettingsError(
        'HOST_UNAVAILABLE',
        `--host is '${host}', which is no address of this machine. 127.0.0.1 is for this machine alone, 0.0.0.0 for all networks.`,
        { host, port },
      );
    default:
      return error;
  }
}

const isLocal = (host: string) => ['127.0.0.1', '::1', 'localhost'].includes(host);

/**
 * @param page serves the web page too
 * @throws SettingsError for a flag that cannot be, RunError, ModelFormatError
 */
export async function serve(name: string | undefined, options: ServeOptions, page = false): Promise<void> {
  const port = count('--port', options.port, 0, 65535);
  const timeout = count('--timeout', options.timeout, 1, 3600);
  const bodyLimit = count('--body-limit', options.bodyLimit, 1024, 1 << 30);
  const mostWaiting = count('--queue', options.queue, 1, 1_000_000);
  if (options.precision !== 'float32' && options.precision !== 'int8')
    throw new SettingsError('SETTING_INVALID', `--precision is '${options.precision}'; it must be float32 or int8.`, {
      name: '--precision',
      value: options.precision,
    });
  const token = process.env['TUNEBOOK_SERVE_TOKEN'] || undefined;
  if (!isLocal(options.host) && token === undefined)
    console.error(
      `Whoever reaches ${options.host}:${port} may ask: set TUNEBOOK_SERVE_TOKEN, and it must be sent with every request.`,
    );
  const folder = modelFolder(name);
  const model = await openSentimentModel(folder, { precision: options.precision });
  // The first pass of each length costs more than those after it.
  await model.predictSentiment(['warm', 'warm '.repeat(60), 'warm '.repeat(200)]);
  const server = await createServer(model, {
    ...{ tunebook: version, timeout, bodyLimit, mostWaiting, token },
    ...(options.name !== undefined && { name: options.name }),
    ...(page && { page: folder }),
    version: path.basename(path.dirname(path.resolve(folder))),
  });
  const address = await server.app.listen({ host: options.host, port }).catch((error: unknown) => {
    throw listenError(error, options.host, port);
  });
  console.log(
    page
      ? `${folder} is to be seen at ${address}`
      : `${folder} (${options.precision}) is served at ${address}; what can be asked: ${address}/openapi.json`,
  );
  await new Promise<void>((resolve) => {
    let ending = false;
    onEndingSignal((name) => {
      // A second signal does not wait for answers.
      if (ending) process.exit(1);
      ending = true;
      console.log(`${name}: what was accepted is answered, nothing new is taken.`);
      resolve();
    });
  });
  await server.drain();
  await model.dispose();
}
