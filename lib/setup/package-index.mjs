// Finds files on the Python package index that pip is configured for, else PyPI, so that mirrors, proxies, certificates and
// credentials of a company work without Python. Files are pinned by their sha256, so pip's constraints do not matter.
// https://pip.pypa.io/en/stable/topics/configuration/, https://packaging.python.org/en/latest/specifications/simple-repository-api/
// @ts-check
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
 * @property {string[]} findLinks folders and pages with links to files
 * @property {string} [cert] file with the certificates to trust
 * @property {string} [proxy] address of a proxy for all requests
 * @property {string[]} trustedHosts hosts whose certificates are not verified
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
 * Parses a configuration file of pip. Settings for all commands count less than those for `download`.
 * @param {string} text
 * @returns {Record<string, string>} values by name; those of several lines are joined by spaces
 */
function parseConfiguration(text) {
  /** @type {Record<string, Record<string, string>>} */
  const sections = { global: {}, download: {} };
  let section = '';
  let name = '';
  for (const line of text.split(/\r?\n/)) {
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
  return { ...sections['global'], ...sections['download'] };
}

/** Reads pip's settings: environment variables count more than files. @returns {PipSettings} */
export function pipSettings() {
  /** @type {Record<string, string>} */
  const values = {};
  for (const file of configurationFiles())
    if (fs.existsSync(file)) Object.assign(values, parseConfiguration(fs.readFileSync(file, 'utf8')));
  for (const [name, value] of Object.entries(process.env))
    if (/^PIP_[A-Z_]+$/.test(name) && value) values[name.slice(4).toLowerCase().replaceAll('_', '-')] = value;
  const list = (/** @type {string} */ name) => (values[name] ?? '').split(/\s+/).filter(Boolean);
  const { cert, proxy } = values;
  return {
    indexes: values['no-index'] ? [] : [values['index-url'] ?? pypi, ...list('extra-index-url')],
    findLinks: list('find-links'),
    ...(cert && { cert }),
    ...(proxy && { proxy }),
    trustedHosts: list('trusted-host'),
  };
}

/**
 * Returns a function that requests an address, or reads a file:// address.
 * @param {PipSettings} settings
 */
async function requester({ cert, proxy, trustedHosts }) {
  // Imported here, because npm installs it in an earlier step.
  const { EnvHttpProxyAgent, ProxyAgent, fetch } = await import('undici');
  /** @param {boolean} verified */
  const dispatcher = (verified) => {
    const connect = { rejectUnauthorized: verified, ...(cert && { ca: fs.readFileSync(cert) }) };
    if (proxy) return new ProxyAgent({ uri: proxy, requestTls: connect });
    return new EnvHttpProxyAgent({ connect, requestTls: connect });
  };
  const dispatchers = { verified: dispatcher(true), trusted: dispatcher(false) };
  /** @param {string} address @param {Record<string, string>} [headers] */
  return (address, headers = {}) => {
    const url = new URL(address);
    const { username, password } = url;
    // A request must not have credentials in its address.
    url.username = url.password = '';
    const isTrusted = trustedHosts.some((host) => host === url.host || host === url.hostname);
    return fetch(url.href, {
      dispatcher: isTrusted ? dispatchers.trusted : dispatchers.verified,
      headers: {
        ...headers,
        ...(username && {
          authorization: `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`,
        }),
      },
    });
  };
}

/** @typedef {Awaited<ReturnType<typeof requester>>} Request */

/** An address without credentials, for messages. @param {string} address */
function withoutCredentials(address) {
  const url = new URL(address);
  url.username = url.password = '';
  return url.href;
}

/**
 * Lists the links of a page.
 * @param {Request} request
 * @param {string} page address of a folder, an HTML page or a JSON page
 * @returns {Promise<string[]>} addresses
 */
async function linksOf(request, page) {
  if (page.startsWith('file:')) {
    const file = fileURLToPath(page);
    const folder = fs.statSync(file, { throwIfNoEntry: false })?.isDirectory();
    const index = folder ? path.join(file, 'index.html') : file;
    if (fs.existsSync(index)) return linksOfHtml(fs.readFileSync(index, 'utf8'), pathToFileURL(index).href);
    return folder ? fs.readdirSync(file).map((name) => pathToFileURL(path.join(file, name)).href) : [];
  }
  const response = await request(page, {
    accept: 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1',
  });
  if (response.status === 404) return [];
  if (!response.ok) throw new Error(`status ${response.status}`);
  if (!response.headers.get('content-type')?.includes('json')) return linksOfHtml(await response.text(), response.url);
  const { files } = /** @type {{ files: { url: string }[] }} */ (await response.json());
  return files.map(({ url }) => new URL(url, response.url).href);
}

/** @param {string} html @param {string} base address of the page @returns {string[]} */
const linksOfHtml = (html, base) =>
  [...html.matchAll(/<a\b[^>]*\bhref\s*=\s*["']([^"']+)/gi)].map(
    ([, link = '']) => new URL(link.replaceAll('&amp;', '&'), base).href,
  );

/** @param {string} address */
const fileNameOf = (address) => decodeURIComponent(new URL(address).pathname.split('/').at(-1) ?? '');

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
      const response = await request(address, before > 0 ? { range: `bytes=${before}-` } : {});
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

/**
 * Downloads a file of a project from the first index or page that has it.
 * @param {string} project
 * @param {string} file its name
 * @param {string} target path to write; the caller checks its hash
 * @throws {SetupError} if none has it, with what each answered
 */
export async function downloadFromIndex(project, file, target) {
  const settings = pipSettings();
  const request = await requester(settings);
  const normalized = project.toLowerCase().replaceAll(/[-_.]+/g, '-');
  const pages = [
    ...settings.findLinks.map((place) => (/^(https?|file):/.test(place) ? place : pathToFileURL(place).href)),
    ...settings.indexes.map((index) => `${index.replace(/\/$/, '')}/${normalized}/`),
  ];
  /** @type {string[]} */
  const answers = [];
  for (const page of pages)
    try {
      const link = (await linksOf(request, page)).find((address) => fileNameOf(address) === file);
      if (link) return await receive(request, link, target);
      answers.push(`${withoutCredentials(page)} does not have it`);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOSPC') throw error;
      answers.push(`${withoutCredentials(page)}: ${reasonOf(error)}`);
    }
  throw new SetupError(
    `${file} of ${project} could not be downloaded: ${answers.join('; ')}.`,
    'Check the index, the proxy and the certificates that pip is configured for (PIP_INDEX_URL, PIP_CERT, pip.conf), then run the same command again.',
  );
}
