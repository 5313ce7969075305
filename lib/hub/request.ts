/**
 * Requests to the hub. Error responses become HubErrors. Transient errors are retried with exponential backoff: 429
 * (after the delay that the hub requests), 5xx, broken connections and timeouts.
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
  TunebookError,
} from '../errors.js';
import { offlineChoices } from './offline-choices.js';
import type { Hub } from './environment.js';
import { fetch, loadFetch, proxyRefused } from './fetch.js';

/** Maximum delay in seconds; if the hub requests a longer one, the request fails. */
const maxDelay = 300;

/** Errors of connections that cannot be established; an immediate retry is pointless. */
const unreachable = ['ENOTFOUND', 'ECONNREFUSED', 'ENETUNREACH', 'EHOSTUNREACH', 'ERR_INVALID_URL'];

/** An error that may be temporary; `withRetries` retries it. */
export class TransientError extends Error {
  constructor(
    message: string,
    /** HTTP status; undefined if there was no response. */
    readonly status?: number,
    /** Delay that the server requests, in seconds. */
    readonly pause?: number,
  ) {
    super(message);
  }
}

/** The system code of an error or its cause; empty if there is none. */
const codeOf = (error: unknown): string => {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return typeof code === 'string' ? code : cause ? codeOf(cause) : '';
};

/** Whether an error comes from the connection and not from a bug. Those of fetch are TypeErrors with a cause. */
const isNetworkError = (error: unknown): error is Error =>
  error instanceof Error &&
  (error.name === 'TimeoutError' || (error instanceof TypeError && error.cause !== undefined));

/**
 * The delay in seconds that a server requests: Retry-After (RFC 9110, 10.2.3), in seconds or as a date, or the hub's
 * own RateLimit, `"api";r=0;t=55`.
 */
function retryAfter({ headers }: Response): number | undefined {
  const value = headers.get('retry-after');
  const seconds =
    value === null ? NaN : Number.isFinite(Number(value)) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  if (!Number.isNaN(seconds)) return Math.max(0, seconds);
  const reset = /\bt\s*=\s*(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1];
  return reset === undefined ? undefined : Number(reset) + 1;
}

/** How to fix a connection that failed with this code. */
function remedyFor(code: string): string {
  if (code === `${proxyRefused}407`)
    return 'The proxy requires a user name and a password: set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT.';
  if (code.startsWith(proxyRefused))
    return 'The proxy of HTTPS_PROXY refuses this address. Ask its operator to allow it, or exclude it with NO_PROXY.';
  if (!unreachable.includes(code))
    return 'If a proxy intercepts TLS connections, set NODE_EXTRA_CA_CERTS to its certificate.';
  return 'Behind a proxy, set HTTPS_PROXY to its address.';
}

/** Converts a response other than 2xx to an error. */
function responseError(response: Response, url: string, hub: Hub): Error {
  const { status } = response;
  const code = response.headers.get('x-error-code');
  const message = response.headers.get('x-error-message') ?? response.statusText;
  const { host } = new URL(url);
  if (status === 429)
    return new TransientError(`${host} reports too many requests (429)`, status, retryAfter(response));
  if (status >= 500 || status === 408)
    return new TransientError(`${host} returned ${status} ${message}`, status, retryAfter(response));
  if (code === 'RevisionNotFound') return new RevisionNotFoundError('HUB_REVISION_NOT_FOUND', message, { url });
  if (code === 'EntryNotFound') return new EntryNotFoundError('HUB_NO_FILE', message, { url });
  if (code === 'GatedRepo') return new GatedRepoError('HUB_REPOSITORY_GATED', message, { url });
  if (status === 401 && hub.token && code !== 'RepoNotFound')
    return new TokenError(
      'HUB_TOKEN_INVALID',
      `${host} rejects the token (${message}). ` +
        "Create a new token in the hub's settings and set HF_TOKEN to it, or unset HF_TOKEN.",
      { host },
    );
  if (status === 401 || status === 404)
    return new RepositoryNotFoundError('HUB_REPOSITORY_NOT_FOUND', message, { url });
  return new HubResponseError('HUB_RESPONSE_INVALID', `${host} returned ${status} ${message} for ${url}.`, {
    url,
    status,
  });
}

/**
 * Runs `attempt` until it succeeds or the attempts of the hub's configuration are used up.
 * @param what is requested, for errors
 * @param attempt may throw; calls `progressed` when it has more data than before, which resets the count of failures
 * @param signal cancels the retries
 * @throws OfflineError if the hub is unreachable, HubUnavailableError if all attempts failed, other HubErrors unchanged
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
      if (unreachable.includes(code) || code.startsWith(proxyRefused) || /CERT|SELF_SIGNED|SSL/.test(code))
        throw new OfflineError(
          'HUB_UNREACHABLE',
          `${hub.endpoint} is unreachable (${code}), while requesting ${what}. ${remedyFor(code)} ${offlineChoices()}`,
          { endpoint: hub.endpoint, systemCode: code },
        );
      const isTransient = error instanceof TransientError;
      if (!isTransient && !isNetworkError(error)) throw error;
      const reason = isTransient
        ? error.message
        : error.name === 'TimeoutError'
          ? `timeout after ${hub.timeout} s without data`
          : code || error.message;
      failures++;
      const pause =
        (isTransient ? error.pause : undefined) ?? hub.firstDelay * 2 ** (failures - 1) * (1 + Math.random() / 4);
      if (failures >= hub.attempts || pause > maxDelay)
        throw new HubUnavailableError(
          'HUB_UNAVAILABLE',
          `${what} could not be fetched: ${reason}` +
            (pause > maxDelay ? `, and requests a delay of ${Math.round(pause)} s. ` : ` (${failures} attempts). `) +
            'The bytes received are kept. Try again later' +
            (/429/.test(reason) && !hub.token ? ', or set HF_TOKEN, which raises the limit. ' : '. ') +
            offlineChoices(),
          { status: isTransient ? error.status : undefined, failures, pause },
        );
      await sleep(pause * 1000, undefined, { ...(signal && { signal }) });
    }
  }
}

/**
 * Sends a request, without retries. The response body is aborted if no data arrives for the hub's timeout.
 * @returns the response; call `alive` for each part of the body, and `done` at its end
 * @throws HubError for an error response, TransientError, or an error of the connection
 */
export async function requestOnce(
  hub: Hub,
  url: string,
  init: RequestInit = {},
): Promise<{ response: Response; alive: () => void; done: () => void }> {
  await loadFetch();
  const timeout = new AbortController();
  const expire = () => timeout.abort(new DOMException(`no data for ${hub.timeout} s`, 'TimeoutError'));
  let timer = setTimeout(expire, hub.timeout * 1000);
  const done = () => clearTimeout(timer);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(expire, hub.timeout * 1000);
  };
  try {
    const headers = new Headers(init.headers);
    // undici removes this header when a redirect leads to another host.
    if (hub.token && url.startsWith(`${hub.endpoint}/`)) headers.set('authorization', `Bearer ${hub.token}`);
    headers.set('user-agent', 'tunebook/0.1');
    const signals = [timeout.signal, ...(init.signal ? [init.signal] : [])];
    const response = await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
    if (!response.ok && response.status !== 416) {
      await response.body?.cancel();
      throw responseError(response, url, hub);
    }
    alive();
    return { response, alive, done };
  } catch (error) {
    done();
    throw error;
  }
}

/** A `fetch` for the functions of @huggingface/hub, with retries and complete response bodies. */
export const hubFetch =
  (hub: Hub): typeof globalThis.fetch =>
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
 * Whether the hub responds.
 * @param seconds timeout. @default 3
 */
export async function isHubAvailable(hub: Hub, seconds = 3): Promise<boolean> {
  if (hub.offline) return false;
  try {
    const response = await fetch(`${hub.endpoint}/api/models?limit=1`, { signal: AbortSignal.timeout(seconds * 1000) });
    await response.body?.cancel();
    return response.ok;
  } catch (error) {
    // An invalid address of a proxy must not look like a hub that does not respond.
    if (error instanceof TunebookError) throw error;
    return false;
  }
}
