// The tracking server, if one is named: that it is there and lets this in is asked before a run, not found out after it.
// @ts-check
import { compiled } from './compiled.mjs';
import { failed, firstLineOf, ok, warning } from './finding.mjs';
import { reach } from './reach.mjs';

const goesOn = 'Training goes on without it, and `npx tunebook track RUN` sends a run later';

/** @type {import('./finding.mjs').Check} */
export const mlflow = {
  name: 'mlflow',
  about: 'the MLflow server of MLFLOW_TRACKING_URI: reached, and it lets this in',
  needs: ['library'],
  async examine() {
    const { mlflowOfEnvironment } = await compiled('tracking/mlflow-client.js');
    /** @type {import('../../tracking/mlflow-client.js').MlflowSettings | undefined} */
    let settings;
    try {
      settings = mlflowOfEnvironment();
    } catch (error) {
      return failed(firstLineOf(error), 'Mend MLFLOW_TRACKING_URI, or unset it');
    }
    if (!settings)
      return ok(
        process.env['MLFLOW_TRACKING_URI']?.trim()
          ? 'off, since DISABLE_MLFLOW_INTEGRATION is set'
          : 'MLFLOW_TRACKING_URI is not set: runs are kept in their folders alone',
      );
    const { trackingUri, authorization } = settings;
    const headers = authorization ? { authorization } : undefined;
    const answer = await reach(`${trackingUri}/api/2.0/mlflow/experiments/search?max_results=1`, headers);
    if ('unreachable' in answer)
      return failed(
        `${trackingUri} cannot be reached (${answer.unreachable}).`,
        `Start the server, or mend MLFLOW_TRACKING_URI. ${goesOn}`,
      );
    if (answer.status === 401 || answer.status === 403)
      return failed(
        `${trackingUri} does not let this in (${answer.status}).`,
        'Mend MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
      );
    if (answer.status >= 500)
      return warning(`${trackingUri} answers ${answer.status}.`, `Look at the server. ${goesOn}`);
    if (answer.status !== 200)
      return failed(
        `${trackingUri} answers ${answer.status}, as no tracking server does.`,
        'Mend MLFLOW_TRACKING_URI: the address without a path, unless the server was given one',
      );
    const version = await reach(`${trackingUri}/version`, headers);
    const known = 'text' in version && version.status === 200 && /^\d[\w.]*$/.test(version.text.trim());
    return ok(`${trackingUri} is reached${known ? `, MLflow ${version.text.trim()}` : ''}`);
  },
};
