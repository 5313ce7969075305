/**
 * The run of a notebook. Its folder has the files of a job's run, so that `tunebook runs`, `report`, `export`, `push` and
 * `track` know it, and the trackers of the setting `reportTo` receive it.
 */
import os from 'node:os';
import type { Sources } from '../hub/sources.js';
import { RunError, SettingsError } from '../errors.js';
import type { PretrainedModel } from '../model/pretrained-model.js';
import { describeEnvironment } from '../runs/environment.js';
import { openJournal, type Journal } from '../runs/journal.js';
import type { RunMetrics } from '../runs/metrics.js';
import { writeResult } from '../runs/result.js';
import { newRunFolder, RunFolder, type RunCommand, type RunStatus } from '../runs/run-folder.js';
import { settingText } from '../settings/setting-text.js';
import { settingsList, type SettingName, type Settings } from '../settings/settings.js';
import { startTracking, type Tracking } from '../tracking/follow.js';
import { mlflowOfEnvironment } from '../tracking/mlflow-client.js';
import { TensorboardWriter } from '../tracking/tensorboard.js';

/** Where notebooks create the folders of their runs, relative to the notebook. */
const parent = '../runs';

/**
 * The folder for what a notebook writes: the one of the setting `runFolder`, or a new one in ../runs.
 * @example
 * model.save(`${runFolderOf(settings)}/model`);
 */
export const runFolderOf = (settings: Pick<Settings, 'runFolder'>): string =>
  settings.runFolder ?? newRunFolder(parent);

/** A run that a notebook has started: its journal, and its end. */
export interface NotebookRun extends Journal {
  /** The run's folder. */
  folder: string;
  /**
   * Writes the result: the model with its card, metrics.json and the report. Waits until the trackers have received it. Does
   * nothing if the run has ended.
   * @param model is not disposed
   * @param metrics see finetuneMetrics and adaptMetrics
   */
  finish(model: PretrainedModel, metrics: RunMetrics): Promise<void>;
}

/**
 * Starts a run: writes settings and environment into its folder and opens its journal. MLflow receives the run from its first
 * step on, so that a notebook that does not train creates none there.
 * @param command whose run it is: the same as of a job that trains so
 * @throws RunError if the folder that the settings name contains a run
 * @example
 * const run = await startRun('finetune', settings, prepared.sources);
 * const result = await trainer.train(prepared.train, { onRecord: (record) => run.write('step', record) });
 * const trained = { ...prepared, settings, data: { ...prepared, notes: [] }, result };
 * await run.finish(model, finetuneMetrics(trained, await evaluate(model, prepared.test)));
 */
export async function startRun(command: RunCommand, settings: Settings, sources: Sources): Promise<NotebookRun> {
  const { reportTo } = settings;
  const mlflow = reportTo.includes('mlflow') ? mlflowOfEnvironment() : undefined;
  if (settings.overfitBatches > 0)
    throw new SettingsError(
      'SETTING_CONFLICT',
      `${settingText('overfitBatches')} is for jobs only: npx tunebook finetune. Do not set it for a notebook.`,
      { names: ['overfitBatches'] },
    );
  if (settings.problemType !== 'single_label_classification')
    throw new SettingsError(
      'SETTING_CONFLICT',
      `${settingText('problemType', settings.problemType)} is for jobs only: npx tunebook finetune. Do not set it for a notebook.`,
      { names: ['problemType'] },
    );
  const run = new RunFolder(runFolderOf(settings));
  const unlock = await run.lock((message) => console.log(message));
  // Another process may have used the folder until now.
  if (run.hasTrained) {
    await unlock();
    throw new RunError(
      'RUN_EXISTS',
      `${run.folder} already contains a run or a model. Choose another folder with ${settingText('runFolder')}, or do not set it.`,
      { folder: run.folder },
    );
  }
  const status: RunStatus = {
    state: 'running',
    startedAt: new Date().toISOString(),
    starts: 1,
    process: { id: process.pid, host: os.hostname() },
  };
  run.write('status.json', status);
  const origins = Object.fromEntries(
    settingsList.map(({ name, default: standard }) => [name, settings[name] === standard ? 'default' : 'notebook']),
  ) as Record<SettingName, string>;
  run.write('settings.json', {
    command,
    settings: { ...settings, runFolder: run.folder },
    origins,
    sources,
  });
  run.write('environment.json', describeEnvironment());
  const tensorboard = reportTo.includes('tensorboard') ? new TensorboardWriter(run) : undefined;
  const journal = openJournal(run.folder, (entry) => tensorboard?.write(entry));
  journal.write('start', { command, starts: 1, step: 0 });
  journal.write('banner', { message: sources.banner });
  const note = (message: string) => {
    console.log(message);
    journal.write('note', { message });
  };
  let tracking: Tracking | undefined;
  const track = () => {
    if (mlflow) tracking ??= startTracking(run.folder, mlflow, note);
  };
  const end = (ending: Pick<RunStatus, 'state' | 'message'>) => {
    journal.write('end', ending);
    run.write('status.json', { ...status, ...ending, endedAt: new Date().toISOString() });
  };
  const abandon = () => {
    // The user may have deleted the folder.
    if (run.isRun) end({ state: 'failed', message: 'The kernel ended before the run was finished.' });
  };
  process.once('exit', abandon);
  let ended = false;
  return {
    folder: run.folder,
    write(kind, content) {
      journal.write(kind, content);
      if (kind === 'step') track();
    },
    async finish(model, metrics) {
      if (ended) return;
      track();
      await writeResult({ run, journal }, metrics, model);
      end({ state: metrics.end });
      ended = true;
      process.off('exit', abandon);
      await tracking?.finish(false);
      await unlock();
    },
  };
}
