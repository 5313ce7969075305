/**
 * The settings of a run, resolved from several places. Precedence: defaults < settings file < environment < flags. The origin of
 * each value is recorded with the run.
 */
import { SettingsError, TunebookError } from '../errors.js';
import { checkConflicts } from './conflicts.js';
import { plainName } from './did-you-mean.js';
import { fastDevRun, methodDefaults, schema } from './schema.js';
import type { Kind, Setting, SettingGroup } from './setting.js';
import { insteadOf } from './unknown-setting.js';

type Schema = typeof schema;

type ValueOf<Declared> = Declared extends Kind<infer Type> ? Type : never;

type WithoutDefault = {
  [Name in keyof Schema]: Schema[Name]['default'] extends undefined ? Name : never;
}[keyof Schema];

type InGroup<Group extends SettingGroup> = {
  [Name in keyof Schema]: Schema[Name]['group'] extends Group ? Name : never;
}[keyof Schema];

type AllSettings = { [Name in Exclude<keyof Schema, WithoutDefault>]: ValueOf<Schema[Name]> } & {
  [Name in WithoutDefault]?: ValueOf<Schema[Name]> | undefined;
};

/** All settings, as declared in schema.ts. An interface, so that tslab's compiler can write the type by its name. */
export interface Settings extends AllSettings {}

/** The names of all settings. */
export type SettingName = keyof Settings;

/** Groups of the settings that a Trainer takes; maxLength is one too. */
const trainingGroups = ['Training', 'Evaluation and checkpoints', 'Masking'] as const satisfies SettingGroup[];

/** The settings of a Trainer. */
export interface TrainingSettings extends Pick<Settings, InGroup<(typeof trainingGroups)[number]> | 'maxLength'> {}

/** A setting with its name and its environment variable. */
export type ListedSetting = Setting<unknown> & { name: SettingName; variable: string };

const declared = schema as Record<SettingName, Setting<unknown>>;

/** All settings in the order of `--help`. */
export const settingsList = (Object.keys(declared) as SettingName[]).map((name): ListedSetting => ({
  name,
  variable: `TUNEBOOK_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`,
  ...declared[name],
}));

const byName = new Map(settingsList.map((each) => [each.name, each]));

/** The declaration of a setting. */
export const describeSetting = (name: SettingName): ListedSetting => byName.get(name)!;

/** Names and aliases of all settings, with their setting. */
export const spellings: readonly { spelling: string; name: SettingName }[] = settingsList.flatMap(
  ({ name, aliases = [] }) => [name, ...aliases].map((spelling) => ({ spelling, name })),
);

/** How each name and alias is shown. */
const shownAs = (show: (name: SettingName) => string): Map<string, string> =>
  new Map(spellings.map(({ spelling, name }) => [spelling, show(name)]));

/**
 * Checks a value that was written under an alias.
 * @param spelling name or alias of the setting
 * @param value as written; for a sweep also several values, separated by commas, or a range
 * @param shownName name of the alias, in the error
 * @param shownSetting name of the setting, in the error
 * @throws SettingsError if the alias takes fractions only, and the value is none
 */
export function checkSpelling(
  name: SettingName,
  spelling: string,
  value: unknown,
  shownName: string,
  shownSetting: string,
): void {
  const { fractionAlias } = describeSetting(name);
  const isFraction = fractionAlias !== undefined && plainName(spelling) === plainName(fractionAlias);
  if (
    isFraction &&
    String(value)
      .split(/,|\.\.|:/)
      .some((part) => Number(part) >= 1)
  )
    throw new SettingsError(
      'SETTING_INVALID',
      `${shownName} is '${String(value)}'; it must be a fraction of all steps, of at least 0 and below 1. For a number of steps, use ${shownSetting}.`,
      { name, value },
    );
}

/** A setting's value as text; for a setting without a value what its default depends on. */
export function formatSetting(name: SettingName, value: unknown): string {
  const setting = describeSetting(name);
  if (value === undefined || value === null) return setting.defaultText ?? '';
  return setting.format(value);
}

/** Environment variables that are not settings. */
const otherVariables = [
  'BENCH_PYTHON',
  'CHROMIUM',
  'KERNEL_LEVEL',
  'MLFLOW_PYTHON',
  'PYTHON',
  'REJECTIONS',
  'SCREENSHOTS',
  'SERVE_TOKEN',
  'SETTING_FORM',
  'TENSORFLOW',
];

/** Settings from one place. */
export interface SettingsLayer {
  /** The place, for messages and records: `environment`, `run.yaml`. */
  origin: string;
  /** As written there; they are checked when they are resolved. */
  values: Partial<Record<SettingName, unknown>>;
  /** The name of a setting in that place: `TUNEBOOK_EPOCHS`, `--epochs`. */
  nameOf: (setting: SettingName) => string;
}

/**
 * Settings from environment variables. Empty variables are ignored.
 * @throws SettingsError for an unknown TUNEBOOK_ variable
 */
export function environmentLayer(environment: NodeJS.ProcessEnv = process.env): SettingsLayer {
  const variableOf = (name: SettingName) => describeSetting(name).variable;
  const known = new Set([
    ...settingsList.map(({ variable }) => variable),
    ...otherVariables.map((other) => `TUNEBOOK_${other}`),
  ]);
  for (const variable of Object.keys(environment))
    if (variable.startsWith('TUNEBOOK_') && !known.has(variable))
      throw new SettingsError(
        'SETTING_UNKNOWN',
        `Unknown environment variable ${variable}.` +
          insteadOf(
            variable.replace('TUNEBOOK_', ''),
            shownAs(variableOf),
            (name, value) => `${variableOf(name)}${value === undefined ? '' : `=${value}`}`,
          ) +
          " Unset or rename it; 'npx tunebook help finetune' lists all settings.",
        { name: variable },
      );
  return {
    origin: 'environment',
    values: Object.fromEntries(
      settingsList
        .filter(({ variable }) => (environment[variable] ?? '') !== '')
        .map(({ name, variable }) => [name, environment[variable]]),
    ),
    nameOf: variableOf,
  };
}

/** All settings and their origins. */
export interface ResolvedSettings {
  settings: Settings;
  /** The origin of the layer that a value is from, `fastDevRun`, `method`, or `default`. */
  origins: Record<SettingName, string>;
}

/**
 * Reads one value.
 * @param shownName of the setting, in the error
 * @throws SettingsError with the valid values
 */
function readValue(name: SettingName, value: unknown, shownName: string, origin?: string): unknown {
  const setting = describeSetting(name);
  let found: unknown;
  let reason = '';
  try {
    found = setting.read(value);
  } catch (error) {
    if (!(error instanceof TunebookError)) throw error;
    reason = ` ${error.message}`;
  }
  if (found !== undefined) return found;
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  throw new SettingsError('SETTING_INVALID', `${shownName} is '${shown}'; it must be ${setting.allowed}.${reason}`, {
    name,
    value,
    ...(origin !== undefined && { origin }),
  });
}

/**
 * Resolves settings from several places; a later layer takes precedence.
 * @param quick what `fastDevRun` stands for
 * @throws SettingsError for an invalid value, with its name in the layer, and for settings that contradict each other
 */
export function resolveSettings(
  layers: SettingsLayer[],
  quick: Partial<Record<SettingName, unknown>> = fastDevRun.command,
): ResolvedSettings {
  const settings: Partial<Record<SettingName, unknown>> = {};
  const origins: Partial<Record<SettingName, string>> = {};
  // JSON's null means the same as a missing value.
  const layerOf = (name: SettingName) => layers.findLast(({ values }) => (values[name] ?? undefined) !== undefined);
  for (const { name, default: standard } of settingsList) {
    const layer = layerOf(name);
    settings[name] = layer ? readValue(name, layer.values[name], layer.nameOf(name), layer.origin) : standard;
    origins[name] = layer?.origin ?? 'default';
  }
  if (settings.fastDevRun)
    for (const [name, value] of Object.entries(quick) as [SettingName, unknown][])
      if (origins[name] === 'default') [settings[name], origins[name]] = [value, 'fastDevRun'];
  const method = settings.method as Settings['method'];
  for (const [name, value] of Object.entries(methodDefaults[method] ?? {}) as [SettingName, unknown][])
    if (origins[name] === 'default') [settings[name], origins[name]] = [value, 'method'];
  checkConflicts(settings, (name) => (layerOf(name) ?? layers.at(-1))?.nameOf(name) ?? name);
  return { settings: settings as Settings, origins: origins as ResolvedSettings['origins'] };
}

/**
 * The settings of a notebook: defaults, then those given in code, then the environment.
 * @throws SettingsError for an invalid value or an unknown variable
 * @example
 * const settings = readSettings({ epochs: 2 });
 */
export const readSettings = (given: Partial<Settings> = {}, environment: NodeJS.ProcessEnv = process.env): Settings =>
  resolveSettings(
    [{ origin: 'code', values: given, nameOf: (name) => name }, environmentLayer(environment)],
    fastDevRun.notebook,
  ).settings;

/**
 * The settings of a Trainer: those given, and defaults.
 * @param given other settings are ignored, so that all of a run's may be passed
 * @throws SettingsError for an unknown name, an invalid value, or settings that contradict each other
 */
export function trainingSettings(given: Partial<TrainingSettings> = {}): TrainingSettings {
  for (const name of Object.keys(given))
    if (!byName.has(name as SettingName))
      throw new SettingsError(
        'SETTING_UNKNOWN',
        `Unknown setting '${name}'.${insteadOf(
          name,
          shownAs((known) => known),
          (known, value) => `${known}${value === undefined ? '' : `: '${value}'`}`,
        )}`,
        { name },
      );
  const all = { ...methodDefaults[given.method ?? ''], ...given } as Partial<Record<SettingName, unknown>>;
  const chosen = settingsList
    .filter(({ name, group }) => name === 'maxLength' || (trainingGroups as readonly SettingGroup[]).includes(group))
    .map(({ name, default: standard }) => [
      name,
      all[name] === undefined ? standard : readValue(name, all[name], name),
    ]);
  const settings = Object.fromEntries(chosen) as TrainingSettings;
  checkConflicts(settings, (name) => name);
  return settings;
}

/** Groups that are rarely changed. */
const rarelyChanged: SettingGroup[] = ['Evaluation and checkpoints', 'Masking', 'Distributed training', 'Quick checks'];

/**
 * Rows of a table of settings with their environment variables. Settings that are rarely changed are included if they differ from the default.
 * @example
 * showTable(describeSettings(readSettings()));
 */
export const describeSettings = (settings: Settings): { setting: string; variable: string; value: string }[] =>
  settingsList
    .filter(({ name, group, default: standard }) => !rarelyChanged.includes(group) || settings[name] !== standard)
    .map(({ name, variable }) => ({ setting: name, variable, value: formatSetting(name, settings[name]) }));
