// Checks of what environment variables configure: the Hugging Face hub and its cache, MLflow, settings.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { failed, firstLineOf, ok, warning } from './check.mjs';
import { gigabytes } from './machine.mjs';
import { compiled, reach } from './probe.mjs';

/** @returns {Promise<import('../../hub/environment.js').Hub>} */
const configuredHub = async () => (await compiled('hub/environment.js')).hubOfEnvironment();

/** Returns the remedy for a failed connection to the hub. @param {string} reason */
function connectionRemedy(reason) {
  if (/CERT|SELF_SIGNED|SSL/.test(reason)) return "export NODE_EXTRA_CA_CERTS=FILE with the proxy's certificate";
  if (reason === 'PROXY_407') return 'Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT';
  return 'Set HF_ENDPOINT to a mirror, or HTTPS_PROXY to a proxy; or export HF_HUB_OFFLINE=1';
}

/** Size of a model such as distilbert-base-uncased and a sample of reviews, in MB. */
const megabytesOfModel = 1000;

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

/** @type {import('./check.mjs').Check[]} */
export const serviceChecks = [
  {
    name: 'hub',
    about: 'the Hugging Face hub: it responds and accepts the token',
    needs: ['library'],
    async run() {
      const { endpoint, token, offline } = await configuredHub();
      if (offline) return ok('not checked, since HF_HUB_OFFLINE is set');
      if (!/^https?:\/\/[^/]/.test(endpoint))
        return failed(`HF_ENDPOINT is '${endpoint}', which is not a URL.`, 'unset HF_ENDPOINT, or set it to https://…');
      // Without a token the status is 401, which also shows that the hub responds.
      const response = await reach(`${endpoint}/api/whoami-v2`, token ? { authorization: `Bearer ${token}` } : {});
      if ('unreachable' in response)
        return warning(
          `${endpoint} cannot be reached (${response.unreachable}); only the cache and the embedded model and reviews can be used.`,
          connectionRemedy(response.unreachable),
        );
      const { status, text } = response;
      if (status >= 500) return warning(`${endpoint} responds with status ${status}.`, 'Try again later.');
      if (!token) return ok(`${endpoint} responds; no token is set`);
      const fromVariable = Boolean(process.env['HF_TOKEN']);
      if (status === 401 || status === 403)
        return failed(
          `${endpoint} rejects the token from ${fromVariable ? 'HF_TOKEN' : "Hugging Face's token file"}.`,
          "Create a new token in the hub's settings and set it as HF_TOKEN, or " +
            (fromVariable ? 'unset HF_TOKEN' : 'delete the file'),
        );
      if (status !== 200) return warning(`${endpoint} responds with status ${status}; the token could not be checked.`);
      const [, owner] = /"name"\s*:\s*"([^"]+)"/.exec(text) ?? [];
      return ok(`${endpoint} responds and accepts the token${owner ? ` of ${owner}` : ''}`);
    },
  },
  {
    name: 'cache',
    about: "the hub's cache: writable, free disk space",
    needs: ['library'],
    async run() {
      const folder = path.resolve((await configuredHub()).cacheFolder);
      if (!isWritable(folder))
        return failed(`${folder} is not writable.`, 'Set HF_HUB_CACHE or HF_HOME to a writable folder.');
      const { bavail, bsize } = fs.statfsSync(nearestExisting(folder));
      const free = (bavail * bsize) / 1e6;
      const found = `${folder}${fs.existsSync(folder) ? '' : ' (not created yet)'}, ${gigabytes(free)} free`;
      return free < megabytesOfModel
        ? warning(
            `${found}; a model and its reviews need up to ${gigabytes(megabytesOfModel)}.`,
            'Free space there, or set HF_HUB_CACHE to another folder.',
          )
        : ok(found);
    },
  },
  {
    name: 'mlflow',
    about: 'the MLflow server of MLFLOW_TRACKING_URI: it responds and accepts the credentials',
    needs: ['library'],
    async run() {
      const { mlflowOfEnvironment } = await compiled('tracking/mlflow-client.js');
      /** @type {import('../../tracking/mlflow-client.js').MlflowSettings | undefined} */
      let settings;
      try {
        settings = mlflowOfEnvironment();
      } catch (error) {
        return failed(firstLineOf(error), 'Correct MLFLOW_TRACKING_URI, or unset it');
      }
      if (!settings)
        return ok(
          process.env['MLFLOW_TRACKING_URI']?.trim()
            ? 'off, since DISABLE_MLFLOW_INTEGRATION is set'
            : 'MLFLOW_TRACKING_URI is not set; runs are stored only in their folders',
        );
      const { trackingUri, authorization } = settings;
      const headers = authorization ? { authorization } : undefined;
      const response = await reach(`${trackingUri}/api/2.0/mlflow/experiments/search?max_results=1`, headers);
      const trainingContinues = 'Training works without it; `npx tunebook track RUN` sends a run later';
      if ('unreachable' in response)
        return failed(
          `${trackingUri} cannot be reached (${response.unreachable}).`,
          `Start the server, or correct MLFLOW_TRACKING_URI. ${trainingContinues}`,
        );
      const { status } = response;
      if (status === 401 || status === 403)
        return failed(
          `${trackingUri} rejects the credentials (${status}).`,
          'Correct MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
        );
      if (status >= 500)
        return warning(`${trackingUri} responds with status ${status}.`, `Check the server. ${trainingContinues}`);
      if (status !== 200)
        return failed(
          `${trackingUri} is not an MLflow tracking server (status ${status}).`,
          'Correct MLFLOW_TRACKING_URI: it has no path, unless the server was started with one',
        );
      const version = await reach(`${trackingUri}/version`, headers);
      const known = 'text' in version && version.status === 200 && /^\d[\w.]*$/.test(version.text.trim());
      return ok(`${trackingUri} responds${known ? `, MLflow ${version.text.trim()}` : ''}`);
    },
  },
  {
    name: 'settings',
    about: 'TUNEBOOK_ environment variables: known names, valid values',
    needs: ['library'],
    async run() {
      const { environmentLayer, resolveSettings } = await compiled('settings/settings.js');
      const { SettingsError } = await compiled('errors.js');
      try {
        resolveSettings([environmentLayer()]);
      } catch (error) {
        if (!(error instanceof SettingsError)) throw error;
        const message = firstLineOf(error);
        const [variable] = /TUNEBOOK_\w+/.exec(message) ?? [];
        // Without the instruction, which the remedy repeats.
        return failed(
          message.replace(/ Unset or rename it;.*$/, ''),
          variable ? `unset ${variable}, or correct it` : 'Correct or unset these variables',
        );
      }
      const set = Object.keys(process.env).filter((name) => name.startsWith('TUNEBOOK_'));
      return ok(set.length === 0 ? 'no TUNEBOOK_ variable is set' : set.sort().join(', '));
    },
  },
];
