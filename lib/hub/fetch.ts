/**
 * `fetch` through the proxy that the environment names, as curl, npm, pip and Python's requests use it: HTTP_PROXY, HTTPS_PROXY and
 * NO_PROXY, in upper or lower case. Node's own fetch ignores these variables, except on newer versions with NODE_USE_ENV_PROXY.
 */
import { SettingsError } from '../errors.js';
import type * as Undici from 'undici';

/** The code of the error for a proxy that refuses a connection starts with this, and ends with the proxy's status. */
export const proxyRefused = 'PROXY_';

/** The address of a proxy; like curl, without `http://` if it is missing. */
function proxyOf(...variables: string[]): string | undefined {
  const name = variables.find((variable) => process.env[variable]?.trim());
  if (name === undefined) return undefined;
  const value = process.env[name]!.trim();
  const address = value.includes('://') ? value : `http://${value}`;
  // The address may contain a password, and is therefore not part of the message.
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol))
    throw new SettingsError(
      'SETTING_INVALID',
      `${name} is not the address of an HTTP proxy. Set it to an address such as http://proxy.example.com:3128, or unset it.`,
      { name },
    );
  return address;
}

async function load(): Promise<{ undici: typeof Undici; dispatcher: Undici.Dispatcher }> {
  const undici = await import('undici');
  const httpProxy = proxyOf('http_proxy', 'HTTP_PROXY');
  const httpsProxy = proxyOf('https_proxy', 'HTTPS_PROXY');
  // Many proxies accept tunnels to port 443 only, so that http:// addresses are requested from the proxy itself.
  const dispatcher = new undici.EnvHttpProxyAgent({
    ...(httpProxy && { httpProxy }),
    ...(httpsProxy && { httpsProxy }),
    proxyTunnel: false,
  });
  return { undici, dispatcher };
}

let loaded: ReturnType<typeof load> | undefined;

/**
 * Loads what `fetch` needs, so that this does not count toward the timeout of the first request.
 * @throws SettingsError for an invalid address of a proxy
 */
export const loadFetch = (): ReturnType<typeof load> => (loaded ??= load());

/** The status with which a proxy refused a connection; undefined for other errors. */
function refusedStatus({ message, cause }: Error): string | undefined {
  const [, status] = /^Proxy (?:response|Authentication Required) \((\d+)\)/.exec(message) ?? [];
  return status ?? (cause instanceof Error ? refusedStatus(cause) : undefined);
}

/**
 * Like Node's `fetch`, through the proxy of the environment.
 * @throws SettingsError for an invalid address of a proxy
 * @throws TypeError if the connection fails, with its cause; with the code PROXY_407 if the proxy requires a password
 */
export async function fetch(url: string, init: RequestInit = {}): Promise<Response> {
  const { undici, dispatcher } = await loadFetch();
  const options = { ...init, dispatcher } as Parameters<typeof undici.fetch>[1];
  try {
    // undici's own fetch, since that of another version of undici, as in Node, need not accept its dispatchers.
    return await undici.fetch(url, options);
  } catch (error) {
    const status = refusedStatus(error as Error);
    if (status === undefined) throw error;
    const refusal = new TypeError(`the proxy refused the connection (${status})`, { cause: error });
    throw Object.assign(refusal, { code: `${proxyRefused}${status}` });
  }
}
