// Whether the configured tracking server responds and accepts the credentials, so that problems show before a run.
// @ts-check
import { compiled } from './compiled.mjs';
import { failed, firstLineOf, ok, warning } from './finding.mjs';
import { reach } from './reach.mjs';

const trainingContinues = 'Training works without it; `npx tunebook track RUN` sends a run later';

/** @type {import('./finding.mjs').Check} */
export const mlflow = {
  name: 'mlflow',
  about: 'the MLflow server of MLFLOW_TRACKING_URI: it responds and accepts the credentials',
  needs: ['library'],
  async examine() {
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
    if ('unreachable' in response)
      return failed(
        `${trackingUri} cannot be reached (${response.unreachable}).`,
        `Start the server, or correct MLFLOW_TRACKING_URI. ${trainingContinues}`,
      );
    if (response.status === 401 || response.status === 403)
      return failed(
        `${trackingUri} rejects the credentials (${response.status}).`,
        'Correct MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
      );
    if (response.status >= 500)
      return warning(
        `${trackingUri} responds with status ${response.status}.`,
        `Check the server. ${trainingContinues}`,
      );
    if (response.status !== 200)
      return failed(
        `${trackingUri} is not an MLflow tracking server (status ${response.status}).`,
        'Correct MLFLOW_TRACKING_URI: it has no path, unless the server was started with one',
      );
    const version = await reach(`${trackingUri}/version`, headers);
    const known = 'text' in version && version.status === 200 && /^\d[\w.]*$/.test(version.text.trim());
    return ok(`${trackingUri} responds${known ? `, MLflow ${version.text.trim()}` : ''}`);
  },
};
