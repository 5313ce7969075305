/** Going on with a run: which one, and whether it is still the same run that is asked for. */
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
import { findRuns, openRun, RunFolder, runsFolder, type RunCommand } from '../runs/run-folder.js';

const isOver = ({ state }: RunFolder) => state === 'completed' || state === 'early stopping';

/**
 * The run to resume.
 * @param command which began the run
 * @param name the run's folder or name; true for the newest unfinished run that has a checkpoint
 * @throws RunError if there is none, or if another command began it
 */
export function runToResume(command: RunCommand, name: string | true, parent = runsFolder): RunFolder {
  if (name === true) {
    const run = findRuns(parent).findLast(
      (run) =>
        run.settings!.command === command &&
        run.checkpoints.steps().length > 0 &&
        !isOver(run) &&
        run.state !== 'running',
    );
    if (run) return run;
    throw new RunError(
      'RUN_NOT_FOUND',
      `${parent}/ holds no unfinished run of 'tunebook ${command}' with a checkpoint. Name a run (--resume RUN; 'tunebook runs' lists them), or leave out --resume to start a new one.`,
      { folder: parent, command },
    );
  }
  const run = openRun(name);
  const { command: begun } = run.settings!;
  if (begun !== command)
    throw new RunError(
      'RUN_OF_OTHER_COMMAND',
      `${run.folder} is a run of 'tunebook ${begun}'. Resume it with that command.`,
      { folder: run.folder, command: begun },
    );
  return run;
}

const differ = (a: unknown, b: unknown) => JSON.stringify(a ?? null) !== JSON.stringify(b ?? null);

/** Settings that are not as they were. */
const changedSettings = (before: Settings, now: Settings): SettingName[] =>
  settingsList.map(({ name }) => name).filter((name) => differ(before[name], now[name]));

/** Whether a run is to go on with settings that make it another. */
export const isChanged = (run: RunFolder, now: Settings): boolean =>
  changedSettings(run.settings!.settings, now).some((setting) => !describeSetting(setting).neutral);

/**
 * The settings of a run that goes on: as it was begun, but for what is said now.
 * @param layers what is said now; what no layer names is as it was
 * @param allowChanges takes other values than the run was begun with
 * @throws RunError naming each setting that would change what is learnt, and SettingsError
 */
export function resumedSettings(run: RunFolder, layers: SettingsLayer[], allowChanges: boolean): ResolvedSettings {
  const before = run.settings!;
  const { settings, origins } = resolveSettings([
    { origin: 'run', values: before.settings, nameOf: (setting) => `${setting} in ${run.of('settings.json')}` },
    ...layers,
  ]);
  const changed = changedSettings(before.settings, settings);
  const others = changed.filter((setting) => !describeSetting(setting).neutral);
  if (others.length > 0 && !allowChanges) {
    const told = others.map((setting) => {
      const layer = layers.findLast(({ values }) => values[setting] !== undefined && values[setting] !== null);
      return `${layer?.nameOf(setting) ?? setting} is ${formatSetting(setting, settings[setting])}, and was ${formatSetting(setting, before.settings[setting]) || 'not given'}`;
    });
    throw new RunError(
      'RUN_SETTINGS_CHANGED',
      `${run.folder} was begun with other settings: ${told.join('; ')}. Leave them out to go on as it was begun, start a new run, or say --allow-changed-settings.`,
      { folder: run.folder, changed },
    );
  }
  for (const setting of Object.keys(origins) as SettingName[])
    if (!changed.includes(setting)) origins[setting] = before.origins[setting] ?? 'default';
  return { settings, origins };
}
