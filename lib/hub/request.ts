/**
 * A fetch for the hub: refused answers become errors in words, and what may pass by itself is tried again, with growing
 * pauses: 429 (after the pause that the hub asks for), 5xx, broken connections, and servers that fall silent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  EntryNotFoundError,
  GatedRepoError,
  HubError,
  HubResponseError,
  HubUnavailableError,
  OfflineError,
  RepositoryNotFoundError,
  RevisionNotFoundError,
  TokenError,
} from '../errors.js';
import { offlineChoices } from './offline-choices.js';
import type { Hub } from './environment.js';

/** A hub that asks for a longer pause than this many seconds is told goodbye. */
const longestPause = 300;

/** Errors of a connection that cannot be made at all: trying again at once changes nothing. */
const unreachable = ['ENOTFOUND', 'ECONNREFUSED', 'ENETUNREACH', 'EHOSTUNREACH', 'ERR_INVALID_URL'];

/** Something that may pass by itself, so `withRetries` tries again. */
export class TransientError extends Error {
  constructor(
    message: string,
    /** HTTP status of the response; none where there was no response. */
    readonly status?: number,
    /** Seconds that the server asks to wait. */
    readonly pause?: number,
  ) {
    super(message);
  }
}

const codeOf = (error: unknown): string => {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return typeof code === 'string' ? code : cause ? codeOf(cause) : '';
};

/** Whether an error is one of a connection, and not of this code. fetch's own are TypeErrors with a cause. */
const isNetworkError = (error: unknown): error is Error =>
  error instanceof Error &&
  (error.name === 'TimeoutError' || (error instanceof TypeError && error.cause !== undefined));

/** The seconds that a server asks to wait: Retry-After (RFC 9110, 10.2.3), seconds or a date; or the hub's own RateLimit, `"api";r=0;t=55`. */
function retryAfter({ headers }: Response): number | undefined {
  const value = headers.get('retry-after');
  const seconds =
    value === null ? NaN : Number.isFinite(Number(value)) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  if (!Number.isNaN(seconds)) return Math.max(0, seconds);
  const reset = /\bt\s*=\s*(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1];
  return reset === undefined ? undefined : Number(reset) + 1;
}

/** What an answer other than 2xx means. */
function refusal(response: Response, url: string, hub: Hub): Error {
  const { status } = response;
  const code = response.headers.get('x-error-code');
  const words = response.headers.get('x-error-message') ?? response.statusText;
  const { host } = new URL(url);
  if (status === 429)
    return new TransientError(`${host} says that there are too many requests (429)`, status, retryAfter(response));
  if (status >= 500 || status === 408)
    return new TransientError(`${host} answers ${status} ${words}`, status, retryAfter(response));
  if (code === 'RevisionNotFound') return new RevisionNotFoundError('HUB_REVISION_NOT_FOUND', words, { url });
  if (code === 'EntryNotFound') return new EntryNotFoundError('HUB_NO_FILE', words, { url });
  if (code === 'GatedRepo') return new GatedRepoError('HUB_REPOSITORY_GATED', words, { url });
  if (status === 401 && hub.token && code !== 'RepoNotFound')
    return new TokenError(
      'HUB_TOKEN_INVALID',
      `${host} does not accept the token (${words}). Make a new one in the hub's settings and set it as HF_TOKEN, or unset HF_TOKEN.`,
      { host },
    );
  if (status === 401 || status === 404) return new RepositoryNotFoundError('HUB_REPOSITORY_NOT_FOUND', words, { url });
  return new HubResponseError('HUB_RESPONSE_INVALID', `${host} answers ${status} ${words} to ${url}.`, { url, status });
}

/**
 * Does `attempt` until it succeeds.
 * @param attempt may throw; says by `progressed` that it came further than before, which makes all tries new
 * @throws OfflineError where the hub cannot be reached, HubUnavailableError when every try failed, and other HubErrors as they are
 */
export async function withRetries<T>(
  hub: Hub,
  what: string,
  attempt: (progressed: () => void) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let failures = 0; ;) {
    try {
      return await attempt(() => (failures = 0));
    } catch (error) {
      if (error instanceof HubError || signal?.aborted) throw error;
      const code = codeOf(error);
      if (unreachable.includes(code) || /CERT|SELF_SIGNED|SSL/.test(code))
        throw new OfflineError(
          'HUB_UNREACHABLE',
          `${hub.endpoint} cannot be reached (${code}) for ${what}. ` +
            (unreachable.includes(code)
              ? ''
              : 'If a proxy re-signs connections here, NODE_EXTRA_CA_CERTS names its certificate. ') +
            offlineChoices,
          { endpoint: hub.endpoint, systemCode: code },
        );
      const passing = error instanceof TransientError;
      if (!passing && !isNetworkError(error)) throw error;
      const words = passing
        ? error.message
        : error.name === 'TimeoutError'
          ? `no byte in ${hub.timeout} s`
          : code || error.message;
      failures++;
      const pause =
        (passing ? error.pause : undefined) ?? hub.firstDelay * 2 ** (failures - 1) * (1 + Math.random() / 4);
      if (failures >= hub.attempts || pause > longestPause)
        throw new HubUnavailableError(
          'HUB_UNAVAILABLE',
          `${what}: ${words}` +
            (pause > longestPause ? `, and asks to wait ${Math.round(pause)} s. ` : ` (${failures} tries). `) +
            'What has arrived is kept: run it again later' +
            (/429/.test(words) && !hub.token ? ', or set HF_TOKEN, which raises the limit.' : '.'),
          { status: passing ? error.status : undefined, failures, pause },
        );
      await sleep(pause * 1000, undefined, { ...(signal && { signal }) });
    }
  }
}

/**
 * One request, not retried. The answer's body is aborted when it stalls for the hub's timeout: call `alive` for each part.
 * @throws HubError for a refusal, an error of the connection, or a TransientError that `withRetries` understands
 */
export async function requestOnce(
  hub: Hub,
  url: string,
  init: RequestInit = {},
): Promise<{ response: Response; alive: () => void; done: () => void }> {
  const silence = new AbortController();
  const expire = () => silence.abort(new DOMException(`no byte in ${hub.timeout} s`, 'TimeoutError'));
  let timer = setTimeout(expire, hub.timeout * 1000);
  const done = () => clearTimeout(timer);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(expire, hub.timeout * 1000);
  };
  try {
    const headers = new Headers(init.headers);
    // undici drops it where a redirect leads to another host.
    if (hub.token && url.startsWith(`${hub.endpoint}/`)) headers.set('authorization', `Bearer ${hub.token}`);
    headers.set('user-agent', 'tunebook/0.1');
    const signals = [silence.signal, ...(init.signal ? [init.signal] : [])];
    const response = await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
    if (!response.ok && response.status !== 416) {
      await response.body?.cancel();
      throw refusal(response, url, hub);
    }
    alive();
    return { response, alive, done };
  } catch (error) {
    done();
    throw error;
  }
}

/** A `fetch` for @huggingface/hub's functions: whole answers, retried. */
export const hubFetch =
  (hub: Hub): typeof fetch =>
  (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    return withRetries(hub, url.split('?')[0]!, async () => {
      const { response, done } = await requestOnce(hub, url, init);
      try {
        const body = await response.arrayBuffer();
        return new Response(body, response);
      } finally {
        done();
      }
    });
  };

/**
 * Whether the hub answers.
 * @param seconds to wait for it, default 3
 */
export async function hubAnswers(hub: Hub, seconds = 3): Promise<boolean> {
  if (hub.offline) return false;
  try {
    const response = await fetch(`${hub.endpoint}/api/models?limit=1`, { signal: AbortSignal.timeout(seconds * 1000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
