/**
 * The hub's configuration, from the same environment variables as Hugging Face's tools: HF_ENDPOINT, HF_TOKEN,
 * HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT (huggingface_hub, "Environment
 * variables").
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { getHFHubCachePath } from '@huggingface/hub';

/** Address of the hub, access to it, cache and retries. */
export interface Hub {
  /** URL without a trailing slash. @default 'https://huggingface.co' */
  endpoint: string;
  /** Access token, sent only to the endpoint. */
  token: string | undefined;
  /** Folder of the cache, in the layout of Hugging Face's tools. */
  cacheFolder: string;
  /** Whether to make no network requests. */
  offline: boolean;
  /** Seconds without data after which a request times out. @default 10 */
  timeout: number;
  /** Maximum number of consecutive attempts without progress. @default 5 */
  attempts: number;
  /** Seconds before the second attempt; doubled for each further one. @default 1 */
  firstDelay: number;
}

const isTrue = (value: string | undefined) => ['1', 'ON', 'YES', 'TRUE'].includes((value ?? '').toUpperCase());

/** Reads the token that Hugging Face's tools have stored. */
function storedToken(environment: NodeJS.ProcessEnv): string | undefined {
  const home =
    environment['HF_HOME'] ??
    path.join(environment['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'huggingface');
  const file = environment['HF_TOKEN_PATH'] ?? path.join(home, 'token');
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim() : undefined;
}

/** Reads the configuration from the environment variables of this process. */
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
