// Finds files on the Python package index that pip is configured for, else PyPI, so that mirrors, proxies, certificates and
// credentials of a company work without Python. Files are pinned by their sha256, so pip's constraints do not matter.
// https://pip.pypa.io/en/stable/topics/configuration/, https://packaging.python.org/en/latest/specifications/simple-repository-api/
// @ts-check
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SetupError } from './run.mjs';

/**
 * @typedef {object} PipSettings
 * @property {string[]} indexes addresses of indexes, the main one first
 * @property {string[]} findLinks folders, archives and pages with links to files
 * @property {string} [cert] file with the certificates to trust
 * @property {string} [proxy] address of a proxy for all requests
 * @property {string[]} trustedHosts hosts whose certificates are not verified
 * @property {number} seconds without an answer after which a request fails
 */

const pypi = 'https://pypi.org/simple';

/** pip's configuration files, from the one that counts least to the one that counts most. */
function configurationFiles() {
  const { PIP_CONFIG_FILE: named, XDG_CONFIG_HOME, XDG_CONFIG_DIRS, VIRTUAL_ENV } = process.env;
  if (named === os.devNull) return [];
  const home = os.homedir();
  const macos = process.platform === 'darwin';
  const global = macos ? ['/Library/Application Support'] : (XDG_CONFIG_DIRS || '/etc/xdg').split(':').filter(Boolean);
  return [
    ...global.map((folder) => path.join(folder, 'pip/pip.conf')),
    '/etc/pip.conf',
    path.join(home, '.pip/pip.conf'),
    path.join(XDG_CONFIG_HOME || path.join(home, '.config'), 'pip/pip.conf'),
    ...(macos ? [path.join(home, 'Library/Application Support/pip/pip.conf')] : []),
    ...(VIRTUAL_ENV ? [path.join(VIRTUAL_ENV, 'pip.conf')] : []),
    ...(named ? [named] : []),
  ];
}

/**
 * Parses a configuration file of pip. Settings for all commands count less than those for `install`, and these less than those
 * for `download`.
 * @param {string} text
 * @returns {Record<string, string>} values by name; those of several lines are joined by spaces
 */
function parseConfiguration(text) {
  /** @type {Record<string, Record<string, string>>} */
  const sections = { global: {}, install: {}, download: {} };
  let section = '';
  let name = '';
  for (const line of text.replace('\uFEFF', '').split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const [, header] = /^\[(.*)\]/.exec(line) ?? [];
    const [, key, value = ''] = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line) ?? [];
    if (header !== undefined) section = header;
    // An indented line continues the value.
    else if (/^\s/.test(line)) {
      const values = sections[section];
      if (values) values[name] += ` ${line.trim()}`;
    } else if (key) (sections[section] ??= {})[(name = key.toLowerCase().replaceAll('_', '-'))] = value.trim();
  }
  return { ...sections['global'], ...sections['install'], ...sections['download'] };
}

/** The values that pip takes as true. */
const isTrue = (/** @type {string | undefined} */ value) => /^(1|y|yes|t|true|on)$/i.test(value ?? '');

/** Reads pip's settings: environment variables count more than files. @returns {PipSettings} */
export function pipSettings() {
  /** @type {Record<string, string>} */
  const values = {};
  for (const file of configurationFiles())
    if (fs.statSync(file, { throwIfNoEntry: false })?.isFile())
      Object.assign(values, parseConfiguration(fs.readFileSync(file, 'utf8')));
  for (const [name, value] of Object.entries(process.env))
    if (/^PIP_[A-Z_]+$/.test(name) && value) values[name.slice(4).toLowerCase().replaceAll('_', '-')] = value;
  const list = (/** @type {string} */ name) => (values[name] ?? '').split(/\s+/).filter(Boolean);
  const { cert, proxy } = values;
  return {
    indexes: isTrue(values['no-index']) ? [] : [values['index-url'] ?? pypi, ...list('extra-index-url')],
    findLinks: list('find-links'),
    ...(cert && { cert }),
    ...(proxy && { proxy }),
    trustedHosts: list('trusted-host'),
    seconds: Number(values['timeout'] ?? values['default-timeout']) || 15,
  };
}

/** A text without what may be a user name and a password, for messages. @param {string} address */
const withoutCredentials = (address) => address.replace(/(\/\/).*@/, '$1');

/** The address of a place, which may be a path. @param {string} place @throws {SetupError} for an invalid address */
function addressOf(place) {
  const isAddress = /^\w+:\/\//.test(place);
  if (!isAddress) return pathToFileURL(place.replace(/^~(?=\/)/, os.homedir())).href;
  if (URL.canParse(place) && /^(https?|file):/.test(place)) return place;
  throw new SetupError(
    `pip's configuration contains ${withoutCredentials(place)}, which is not a valid address.`,
    'Correct index-url, extra-index-url or find-links (pip config list). In a password, write #, / and @ as %23, %2F and %40.',
  );
}

/** The address of a proxy, like curl without `http://`. @param {string | undefined} value @param {string} name */
function proxyOf(value, name) {
  if (!value?.trim()) return undefined;
  const address = value.includes('://') ? value.trim() : `http://${value.trim()}`;
  if (URL.canParse(address) && /^https?:/.test(address)) return address;
  throw new SetupError(`${name} is not the address of an HTTP proxy.`, 'Correct or unset it.');
}

/** The header with a user name and a password. @param {URL} url */
const basicAuthorization = ({ username, password }) =>
  `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;

/**
 * Returns a function that requests an address.
 * @param {PipSettings} settings
 * @param {string[]} pages configured addresses; their credentials are also those of other addresses of the same host
 * @throws {SetupError} if a certificate or a proxy is invalid
 */
async function requester({ cert, proxy, trustedHosts, seconds }, pages) {
  // Imported here, because npm installs it in an earlier step.
  const { EnvHttpProxyAgent, ProxyAgent, fetch } = await import('undici');
  if (cert && !fs.existsSync(cert))
    throw new SetupError(`pip's certificates ${cert} do not exist.`, 'Correct PIP_CERT or cert in pip.conf.');
  const { env } = process;
  const ownProxy = proxyOf(proxy, "pip's proxy");
  const httpProxy = proxyOf(env['http_proxy'] || env['HTTP_PROXY'], 'HTTP_PROXY');
  const httpsProxy = proxyOf(env['https_proxy'] || env['HTTPS_PROXY'], 'HTTPS_PROXY');
  const timeouts = { headersTimeout: 1000 * seconds, bodyTimeout: 1000 * seconds };
  /** @param {boolean} verified */
  const dispatcher = (verified) => {
    const tls = { rejectUnauthorized: verified, ...(cert && { ca: fs.readFileSync(cert) }) };
    const connect = { ...tls, timeout: 1000 * seconds };
    return ownProxy
      ? new ProxyAgent({ uri: ownProxy, requestTls: connect, ...timeouts })
      : new EnvHttpProxyAgent({
          connect,
          requestTls: connect,
          ...timeouts,
          ...(httpProxy && { httpProxy }),
          ...(httpsProxy && { httpsProxy }),
        });
  };
  const dispatchers = { verified: dispatcher(true), trusted: dispatcher(false) };
  const authorizations = new Map(
    pages
      .map((page) => new URL(page))
      .filter(({ username }) => username)
      .map((url) => [url.origin, basicAuthorization(url)]),
  );
  /** @param {string} address @param {Record<string, string>} headers */
  return (address, headers) => {
    const url = new URL(address);
    const authorization = url.username ? basicAuthorization(url) : authorizations.get(url.origin);
    // A request must not have credentials in its address.
    url.username = url.password = '';
    const isTrusted = trustedHosts.some((host) => host === url.host || host === url.hostname);
    return fetch(url.href, {
      dispatcher: isTrusted ? dispatchers.trusted : dispatchers.verified,
      headers: { ...headers, ...(authorization && { authorization }) },
    });
  };
}

/** @typedef {Awaited<ReturnType<typeof requester>>} Request */

/**
 * Lists the links of a page.
 * @param {Request} request
 * @param {string} page address of a folder, an archive, an HTML page or a JSON page
 * @returns {Promise<string[]>} addresses
 */
async function linksOf(request, page) {
  if (page.startsWith('file:')) {
    const file = fileURLToPath(page);
    const folder = fs.statSync(file, { throwIfNoEntry: false })?.isDirectory();
    const index = folder ? path.join(file, 'index.html') : file;
    if (/\.html?$/.test(index) && fs.existsSync(index))
      return linksOfHtml(fs.readFileSync(index, 'utf8'), pathToFileURL(index).href);
    const files = folder ? fs.readdirSync(file).map((name) => path.join(file, name)) : [file];
    return files.filter((each) => fs.existsSync(each)).map((each) => pathToFileURL(each).href);
  }
  const response = await request(page, {
    accept: 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1',
  });
  if (response.status === 404) return [];
  if (!response.ok) throw new Error(`status ${response.status}`);
  if (!response.headers.get('content-type')?.includes('json')) return linksOfHtml(await response.text(), response.url);
  const { files = [] } = /** @type {{ files?: { url: string }[] }} */ (await response.json());
  return resolved(
    files.map(({ url }) => url),
    response.url,
  );
}

/** Resolves the valid ones of some links. @param {string[]} links @param {string} base */
const resolved = (links, base) =>
  links.filter((link) => URL.canParse(link, base)).map((link) => new URL(link, base).href);

/** The characters of the entities that occur in addresses. */
const entities = { '&amp;': '&', '&quot;': '"', '&#39;': "'", '&#x27;': "'" };

/** The addresses in the tags of a name. @param {string} html @param {string} tag */
const hrefsOf = (html, tag) =>
  [...html.matchAll(new RegExp(`<${tag}\\b((?:"[^"]*"|'[^']*'|[^'">])*)>`, 'gi'))].flatMap(([, attributes = '']) => {
    const [, double, single, bare] = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(attributes) ?? [];
    const href = double ?? single ?? bare;
    const decoded = href?.replace(/&\w+;|&#\w+;/g, (text) => entities[/** @type {'&amp;'} */ (text)] ?? text);
    return decoded === undefined ? [] : [decoded.trim()];
  });

/** @param {string} text an HTML page @param {string} address of the page @returns {string[]} */
function linksOfHtml(text, address) {
  const html = text.replace(/<!--[^]*?-->/g, '');
  const [base = address] = resolved(hrefsOf(html, 'base'), address);
  return resolved(hrefsOf(html, 'a'), base);
}

/** @param {string} address */
function fileNameOf(address) {
  const name = new URL(address).pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** How often a download that breaks off is continued. */
const attempts = 5;

/**
 * Downloads an address. What was received of a download that broke off is kept, and a later one continues after it.
 * @param {Request} request
 * @param {string} address
 * @param {string} target
 */
async function receive(request, address, target) {
  if (address.startsWith('file:')) return fs.copyFileSync(fileURLToPath(address), target);
  const part = `${target}.part`;
  for (let attempt = 1; ; attempt++)
    try {
      const before = fs.statSync(part, { throwIfNoEntry: false })?.size ?? 0;
      const response = await request(address, {
        // Some servers describe a .tar.gz as a compressed .tar.
        'accept-encoding': 'identity',
        ...(before > 0 && { range: `bytes=${before}-` }),
      });
      // The part is complete, or of another file.
      if (response.status === 416) fs.rmSync(part);
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      const continues = response.status === 206;
      let received = continues ? before : 0;
      const size = received + Number(response.headers.get('content-length'));
      const megabytes = (/** @type {number} */ bytes) => Math.round(bytes / 1e6);
      const ticker = setInterval(() => console.error(`      ${megabytes(received)} of ${megabytes(size)} MB …`), 5000);
      try {
        await pipeline(
          Readable.fromWeb(response.body),
          async function* (chunks) {
            for await (const chunk of chunks) {
              received += chunk.length;
              yield chunk;
            }
          },
          fs.createWriteStream(part, { flags: continues ? 'a' : 'w' }),
        );
      } finally {
        clearInterval(ticker);
      }
      return fs.renameSync(part, target);
    } catch (error) {
      if (attempt === attempts || /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOSPC') throw error;
    }
}

/** @param {unknown} error */
const reasonOf = (error) => {
  const { message, cause } = /** @type {Error} */ (error);
  return cause instanceof Error ? cause.message || /** @type {NodeJS.ErrnoException} */ (cause).code : message;
};

/** @param {string} file @returns {Promise<string>} */
async function sha256Of(file) {
  const digest = createHash('sha256');
  for await (const chunk of fs.createReadStream(file, { highWaterMark: 1 << 20 })) digest.update(chunk);
  return digest.digest('hex');
}

/**
 * Downloads a file of a project from the first place that has the pinned one, unless it is there already.
 * @param {string} project
 * @param {string} file its name
 * @param {string} sha256 the pinned hash
 * @param {string} target path to write
 * @throws {SetupError} if no place has it, with what each answered
 */
export async function downloadFromIndex(project, file, sha256, target) {
  if (fs.existsSync(target) && (await sha256Of(target)) === sha256) return;
  const settings = pipSettings();
  const normalized = project.toLowerCase().replaceAll(/[-_.]+/g, '-');
  const pages = [
    ...settings.findLinks.map(addressOf),
    ...settings.indexes.map((index) => `${addressOf(index).replace(/\/$/, '')}/${normalized}/`),
  ];
  const request = await requester(settings, pages);
  /** @type {string[]} */
  const answers = [];
  for (const page of pages)
    try {
      const link = (await linksOf(request, page)).find((address) => fileNameOf(address) === file);
      if (!link) {
        answers.push(`${withoutCredentials(page)} does not have it`);
        continue;
      }
      await receive(request, link, target);
      const found = await sha256Of(target);
      if (found === sha256) return;
      fs.rmSync(target);
      answers.push(`that of ${withoutCredentials(page)} has sha256 ${found}, but ${sha256} is pinned`);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOSPC') throw error;
      answers.push(`${withoutCredentials(page)}: ${reasonOf(error)}`);
    }
  throw new SetupError(
    `${file} of ${project} could not be downloaded: ${answers.join('; ') || 'pip is configured without an index'}.`,
    'Check the index, the proxy and the certificates that pip is configured for (PIP_INDEX_URL, PIP_CERT, pip.conf), then run the same command again.',
  );
}
