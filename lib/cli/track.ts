/** `tunebook track RUN`: sends a run's missing data to MLflow. */
import { RunError, SettingsError } from '../errors.js';
import { openRun } from '../runs/run-folder.js';
import { MlflowClient, mlflowOfEnvironment } from '../tracking/mlflow-client.js';
import { Tracker } from '../tracking/tracker.js';

/**
 * Sends a run's missing data to MLflow.
 * @throws SettingsError if no server is configured, RunError if the run is still running, MlflowError
 */
export async function track(name: string): Promise<void> {
  const settings = mlflowOfEnvironment();
  if (!settings)
    throw new SettingsError(
      'SETTING_MISSING',
      'No tracking server is configured. Set MLFLOW_TRACKING_URI (http://…) and unset DISABLE_MLFLOW_INTEGRATION.',
      { names: ['MLFLOW_TRACKING_URI'] },
    );
  const run = openRun(name);
  if (run.state === 'running')
    throw new RunError(
      'RUN_IN_USE',
      `${run.folder} is still running and sends its data itself. Wait until it has ended.`,
      { folder: run.folder },
    );
  const tracker = new Tracker(run, new MlflowClient(settings), (text) => console.log(text));
  await tracker.send();
  if (run.state === 'died') await tracker.close();
  console.log(`${run.folder} is complete in MLflow: ${tracker.url}`);
}
