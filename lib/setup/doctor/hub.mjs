// The Hugging Face hub as configured by environment variables, and its cache.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { compiled } from './compiled.mjs';
import { gigabytes } from './disk.mjs';
import { failed, ok, warning } from './finding.mjs';
import { reach } from './reach.mjs';

/** Size of a model such as distilbert-base-uncased and a sample of reviews, in MB. */
const megabytesOfModel = 1000;

const proxies = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

/** Returns the remedy for a failed connection. @param {string} reason */
function remedyOf(reason) {
  if (/CERT|SELF_SIGNED|SSL/.test(reason)) return "export NODE_EXTRA_CA_CERTS=FILE with the proxy's certificate";
  if (proxies.some((name) => process.env[name]) && !process.env['NODE_USE_ENV_PROXY'])
    return Number(process.versions.node.split('.')[0]) >= 24
      ? 'export NODE_USE_ENV_PROXY=1, so that Node uses the proxy of the environment'
      : 'Use Node 24 with NODE_USE_ENV_PROXY=1; older versions ignore the proxy of the environment';
  return (
    'Set HF_ENDPOINT to a mirror, or HTTPS_PROXY to a proxy with NODE_USE_ENV_PROXY=1 on Node 24; ' +
    'or export HF_HUB_OFFLINE=1'
  );
}

/** Returns the owner of the token, for messages. @param {string} text response of whoami @returns {string} */
function ownerIn(text) {
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
  about: 'the Hugging Face hub: it responds and accepts the token',
  needs: ['library'],
  async examine() {
    /** @type {import('../../hub/environment.js').Hub} */
    const { endpoint, token, offline } = (await compiled('hub/environment.js')).hubOfEnvironment();
    if (offline) return ok('not checked, since HF_HUB_OFFLINE is set');
    if (!/^https?:\/\/[^/]/.test(endpoint))
      return failed(`HF_ENDPOINT is '${endpoint}', which is not a URL.`, 'unset HF_ENDPOINT, or set it to https://…');
    // Without a token the status is 401, which also shows that the hub responds.
    const response = await reach(`${endpoint}/api/whoami-v2`, token ? { authorization: `Bearer ${token}` } : {});
    if ('unreachable' in response)
      return warning(
        `${endpoint} cannot be reached (${response.unreachable}); the cache or the embedded pair is used instead.`,
        remedyOf(response.unreachable),
      );
    if (response.status >= 500)
      return warning(`${endpoint} responds with status ${response.status}.`, 'Try again later.');
    if (!token) return ok(`${endpoint} responds; no token is set`);
    if (response.status === 401 || response.status === 403)
      return failed(
        `${endpoint} rejects the token from ${process.env['HF_TOKEN'] ? 'HF_TOKEN' : "Hugging Face's token file"}.`,
        process.env['HF_TOKEN']
          ? "Create a new token in the hub's settings and set it as HF_TOKEN, or unset HF_TOKEN"
          : "Create a new token in the hub's settings and set it as HF_TOKEN, or delete the file",
      );
    if (response.status !== 200)
      return warning(`${endpoint} responds with status ${response.status}; the token could not be checked.`);
    return ok(`${endpoint} responds and accepts the token${ownerIn(response.text)}`);
  },
};

/** Returns the path itself or its nearest parent that exists. @param {string} place @returns {string} */
const nearestExisting = (place) => (fs.existsSync(place) ? place : nearestExisting(path.dirname(place)));

/** Whether the folder is writable, or can be created. @param {string} place */
function isWritable(place) {
  const folder = nearestExisting(place);
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
  about: "the hub's cache: writable, free disk space",
  needs: ['library'],
  async examine() {
    /** @type {import('../../hub/environment.js').Hub} */
    const { cacheFolder } = (await compiled('hub/environment.js')).hubOfEnvironment();
    const folder = path.resolve(cacheFolder);
    if (!isWritable(folder))
      return failed(`${folder} is not writable.`, 'Set HF_HUB_CACHE or HF_HOME to a writable folder.');
    const { bavail, bsize } = fs.statfsSync(nearestExisting(folder));
    const free = (bavail * bsize) / 1e6;
    const description = `${folder}${fs.existsSync(folder) ? '' : ' (not created yet)'}, ${gigabytes(free)} free`;
    return free < megabytesOfModel
      ? warning(
          `${description}; a model and its reviews need up to ${gigabytes(megabytesOfModel)}.`,
          'Free space there, or set HF_HUB_CACHE to another folder.',
        )
      : ok(description);
  },
};
