/** `tunebook track RUN`: sends MLflow what it does not have of a run. */
import { RunError, SettingsError } from '../errors.js';
import { openRun } from '../runs/run-folder.js';
import { MlflowClient, mlflowOfEnvironment } from '../tracking/mlflow-client.js';
import { Tracker } from '../tracking/tracker.js';

/**
 * @throws SettingsError where no server is named, RunError for a run that is under way and sends by itself, MlflowError
 */
export async function track(name: string): Promise<void> {
  const settings = mlflowOfEnvironment();
  if (!settings)
    throw new SettingsError(
      'SETTING_MISSING',
      'No tracking server is named: set MLFLOW_TRACKING_URI to its address (http://…), and DISABLE_MLFLOW_INTEGRATION to nothing.',
      { names: ['MLFLOW_TRACKING_URI'] },
    );
  const run = openRun(name);
  if (run.state === 'running')
    throw new RunError(
      'RUN_IN_USE',
      `${run.folder} is under way and sends by itself what is missing. Wait until it has ended.`,
      { folder: run.folder },
    );
  const tracker = new Tracker(run, new MlflowClient(settings), (words) => console.log(words));
  await tracker.send();
  if (run.state === 'died') await tracker.close();
  console.log(`MLflow has all of ${run.folder}: ${tracker.url}`);
}
