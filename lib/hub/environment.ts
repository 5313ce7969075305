/**
 * What Hugging Face's own tools are told by environment variables, read the same way, so that a machine that is set up
 * for them is set up for this: HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE and
 * HF_HUB_DOWNLOAD_TIMEOUT (huggingface_hub, "Environment variables").
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { getHFHubCachePath } from '@huggingface/hub';

/** Where the hub is, and how patiently it is asked. */
export interface Hub {
  /** Without a slash at its end. @default 'https://huggingface.co' */
  endpoint: string;
  /** Sent to the endpoint and to nobody else. */
  token: string | undefined;
  /** Where files are kept, in the layout that all of Hugging Face's tools share. */
  cacheFolder: string;
  /** Nothing is asked for over the network. */
  offline: boolean;
  /** Seconds without a byte after which a connection counts as broken. @default 10 */
  timeout: number;
  /** Tries in a row without progress, after which a request is given up. @default 5 */
  attempts: number;
  /** Seconds before the second try, doubled for each further one. @default 1 */
  firstDelay: number;
}

const isTrue = (value: string | undefined) => ['1', 'ON', 'YES', 'TRUE'].includes((value ?? '').toUpperCase());

function storedToken(environment: NodeJS.ProcessEnv): string | undefined {
  const home =
    environment['HF_HOME'] ??
    path.join(environment['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'huggingface');
  const file = environment['HF_TOKEN_PATH'] ?? path.join(home, 'token');
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim() : undefined;
}

/** The hub as this process's environment describes it. */
export function hubOfEnvironment(): Hub {
  const environment = process.env;
  return {
    endpoint: (environment['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, ''),
    token: environment['HF_TOKEN']?.trim() || storedToken(environment) || undefined,
    cacheFolder: getHFHubCachePath(),
    offline: isTrue(environment['HF_HUB_OFFLINE']),
    timeout: Number(environment['HF_HUB_DOWNLOAD_TIMEOUT']) || 10,
    attempts: 5,
    firstDelay: 1,
  };
}
