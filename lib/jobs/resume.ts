/** Resuming a run: which run, and with which settings. */
import fs from 'node:fs';
import { RunError } from '../errors.js';
import {
  describeSetting,
  formatSetting,
  resolveSettings,
  settingsList,
  type Settings,
  type ResolvedSettings,
  type SettingName,
  type SettingsLayer,
} from '../settings/settings.js';
import { findRuns, openRun, RunFolder, type RunCommand } from '../runs/run-folder.js';
import { runsFolder } from '../runs-folder.js';

/**
 * The run to resume.
 * @param command the command that started the run
 * @param name folder or name of the run; true for the newest unfinished run that has a checkpoint
 * @throws RunError if no such run exists, or if another command started it
 */
export function runToResume(command: RunCommand, name: string | true, parent = runsFolder): RunFolder {
  if (name === true) {
    const run = findRuns(parent).findLast(
      (run) =>
        run.settings!.command === command &&
        run.checkpoints.steps().length > 0 &&
        !run.isFinished &&
        !run.pruned &&
        run.state !== 'running',
    );
    if (run) return run;
    throw new RunError(
      'RUN_NOT_FOUND',
      `${parent}/ contains no unfinished run of 'npx tunebook ${command}' with a checkpoint. Name a run (--resume RUN; 'npx tunebook runs' lists all), or omit --resume to start a new run.`,
      { folder: parent, command },
    );
  }
  const run = openRun(name);
  const { command: actual } = run.settings!;
  if (actual !== command)
    throw new RunError(
      'RUN_OF_OTHER_COMMAND',
      `${run.folder} is a run of 'npx tunebook ${actual}'. Resume it with that command.`,
      { folder: run.folder, command: actual },
    );
  return run;
}

/**
 * Checks that training again in a run's folder would not replace its result, as that of a notebook's run.
 * @throws RunError if the run has a result but no checkpoint, or if a sweep has pruned it
 */
export function assertResumable(run: RunFolder): void {
  const { pruned } = run;
  if (pruned)
    throw new RunError(
      'RUN_PRUNED',
      `${run.folder} was pruned by its sweep (${pruned.reason}), so it is not resumed. To train it to the end, start a new run with its settings.`,
      { folder: run.folder, ...pruned },
    );
  if (run.checkpoints.steps().length === 0 && fs.existsSync(run.path('metrics.json')))
    throw new RunError(
      'RUN_NO_CHECKPOINT',
      `${run.folder} has a result but no checkpoint, as a notebook's run, so it cannot be resumed. Start a new run without --resume.`,
      { folder: run.folder },
    );
}

const differ = (a: unknown, b: unknown) => JSON.stringify(a ?? null) !== JSON.stringify(b ?? null);

/** Settings that differ between two runs. A run of an older version lacks settings that did not exist: they have their defaults. */
const changedSettings = (before: Settings, now: Settings): SettingName[] =>
  settingsList
    .filter(({ name, default: standard }) => differ(before[name] ?? standard, now[name] ?? standard))
    .map(({ name }) => name);

/** Whether any settings that affect the result differ from those of the run. */
export const isChanged = (run: RunFolder, now: Settings): boolean =>
  changedSettings(run.settings!.settings, now).some((setting) => !describeSetting(setting).neutral);

/**
 * The settings of a resumed run: those of the run, overridden by the new layers.
 * @param layers the new settings; the others keep the run's values
 * @param allowChanges whether settings that affect the result may change
 * @throws CheckpointError if the run's checkpoints have the format of another version of Tunebook
 * @throws RunError with each changed setting that affects the result, SettingsError for an invalid setting
 */
export function resumedSettings(run: RunFolder, layers: SettingsLayer[], allowChanges: boolean): ResolvedSettings {
  run.checkpoints.assertSupported();
  const before = run.settings!;
  const { settings, origins } = resolveSettings([
    { origin: 'run', values: before.settings, nameOf: (setting) => `${setting} in ${run.path('settings.json')}` },
    ...layers,
  ]);
  const changed = changedSettings(before.settings, settings);
  const others = changed.filter((setting) => !describeSetting(setting).neutral);
  if (others.length > 0 && !allowChanges) {
    const changes = others.map((setting) => {
      const layer = layers.findLast(({ values }) => values[setting] !== undefined && values[setting] !== null);
      return `${layer?.nameOf(setting) ?? setting} is ${formatSetting(setting, settings[setting])}, but was ${formatSetting(setting, before.settings[setting]) || 'not set'}`;
    });
    throw new RunError(
      'RUN_SETTINGS_CHANGED',
      `The settings differ from those of ${run.folder}: ${changes.join('; ')}. Resume without these settings, pass --allow-changed-settings, or start a new run.`,
      { folder: run.folder, changed },
    );
  }
  for (const setting of Object.keys(origins) as SettingName[])
    if (!changed.includes(setting)) origins[setting] = before.origins[setting] ?? 'default';
  return { settings, origins };
}
