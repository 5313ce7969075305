// The Hugging Face hub as the environment describes it, and the cache for what is fetched from it.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { compiled } from './compiled.mjs';
import { gigabytes } from './disk.mjs';
import { failed, ok, warning } from './finding.mjs';
import { reach } from './reach.mjs';

/** A model such as distilbert-base-uncased, and a sample of reviews. */
const megabytesOfModel = 1000;

const proxies = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

/** @param {string} why the hub was not reached */
function remedyOf(why) {
  if (/CERT|SELF_SIGNED|SSL/.test(why)) return "export NODE_EXTRA_CA_CERTS=FILE, the proxy's own certificate";
  if (proxies.some((name) => process.env[name]) && !process.env['NODE_USE_ENV_PROXY'])
    return Number(process.versions.node.split('.')[0]) >= 24
      ? 'export NODE_USE_ENV_PROXY=1, so that Node takes the proxy of the environment'
      : 'Use Node 24 with NODE_USE_ENV_PROXY=1: an older one takes no proxy from the environment';
  return 'Name a mirror in HF_ENDPOINT, or a proxy in HTTPS_PROXY with NODE_USE_ENV_PROXY=1 on Node 24; or export HF_HUB_OFFLINE=1';
}

/** @param {string} text of the hub's answer to who asks @returns {string} */
function nameIn(text) {
  try {
    const { name } = JSON.parse(text);
    return typeof name === 'string' ? ` of ${name}` : '';
  } catch {
    return '';
  }
}

/** @type {import('./finding.mjs').Check} */
export const hub = {
  name: 'hub',
  about: 'the Hugging Face hub: reached, and the token is accepted',
  needs: ['library'],
  async examine() {
    /** @type {import('../../hub/environment.js').Hub} */
    const { endpoint, token, offline } = (await compiled('hub/environment.js')).hubOfEnvironment();
    if (offline) return ok('not asked, since HF_HUB_OFFLINE is set');
    if (!/^https?:\/\/[^/]/.test(endpoint))
      return failed(`HF_ENDPOINT is '${endpoint}', which is no address.`, 'unset HF_ENDPOINT, or set it to https://…');
    // Without a token the answer is 401, which says as well that there is a hub.
    const answer = await reach(`${endpoint}/api/whoami-v2`, token ? { authorization: `Bearer ${token}` } : {});
    if ('unreachable' in answer)
      return warning(
        `${endpoint} cannot be reached (${answer.unreachable}); the cache and the embedded model and reviews are used.`,
        remedyOf(answer.unreachable),
      );
    if (answer.status >= 500) return warning(`${endpoint} answers ${answer.status}.`, 'Try it again later.');
    if (!token) return ok(`${endpoint} is reached, without a token`);
    if (answer.status === 401 || answer.status === 403)
      return failed(
        `${endpoint} is reached; the token of ${process.env['HF_TOKEN'] ? 'HF_TOKEN' : "Hugging Face's token file"} is refused.`,
        process.env['HF_TOKEN']
          ? "Make a new token in the hub's settings and set it as HF_TOKEN, or unset HF_TOKEN"
          : "Make a new token in the hub's settings and set it as HF_TOKEN, or delete the file",
      );
    if (answer.status !== 200) return warning(`${endpoint} answers ${answer.status}; the token could not be tried.`);
    return ok(`${endpoint} is reached, the token${nameIn(answer.text)} is accepted`);
  },
};

/** The nearest of a path's parents that exists, itself among them. @param {string} place @returns {string} */
const existing = (place) => (fs.existsSync(place) ? place : existing(path.dirname(place)));

/** Whether files can be written there, or a folder be made. @param {string} place */
function canBeWritten(place) {
  const folder = existing(place);
  try {
    fs.accessSync(folder, fs.constants.W_OK | fs.constants.X_OK);
    return fs.statSync(folder).isDirectory();
  } catch {
    return false;
  }
}

/** @type {import('./finding.mjs').Check} */
export const cache = {
  name: 'cache',
  about: "the hub's cache: can be written, room on its disk",
  needs: ['library'],
  async examine() {
    /** @type {import('../../hub/environment.js').Hub} */
    const { cacheFolder } = (await compiled('hub/environment.js')).hubOfEnvironment();
    const folder = path.resolve(cacheFolder);
    if (!canBeWritten(folder))
      return failed(`${folder} cannot be written.`, 'Name a folder that can be, in HF_HUB_CACHE or HF_HOME.');
    const { bavail, bsize } = fs.statfsSync(existing(folder));
    const free = (bavail * bsize) / 1e6;
    const words = `${folder}${fs.existsSync(folder) ? '' : ' (to be made)'}, ${gigabytes(free)} free`;
    return free < megabytesOfModel
      ? warning(
          `${words}; a model and its reviews take up to ${gigabytes(megabytesOfModel)}.`,
          'Make room there, or name another folder in HF_HUB_CACHE.',
        )
      : ok(words);
  },
};
