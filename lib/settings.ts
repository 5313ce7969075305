/**
 * Everything a run can be told, notebook or job, in one typed object with a default for each. Layers decide: what is given
 * later (a file, the environment, the command line) goes before what was given earlier, and where each value came from is
 * kept, since "which learning rate was that?" is the first question of whoever reads an old run.
 */
import { closest, distance } from 'fastest-levenshtein';
import { SettingsError } from './errors.js';
import type { SourceSetting } from './hub/sources.js';
import { descriptions, schema, type SettingGroup } from './settings-schema.js';
import type { JitCompileSetting } from './model/model.js';
import type { PrecisionSetting } from './tensorflow/precision.js';
import type { Freeze } from './training/freeze.js';
import type { SchedulerType } from './training/schedule.js';
import type { TrainingArguments } from './training/training-arguments.js';

/**
 * All settings; what each is stands in `settingsList` and is shown by `describeSettings` and `--help`. Written out, since tslab
 * cannot name what it would infer of the schema's own types.
 */
export interface Settings {
  source: SourceSetting;
  model?: string | undefined;
  dataset?: string | undefined;
  datasetConfig?: string | undefined;
  textColumns?: string[] | undefined;
  labelColumn?: string | undefined;
  labelMapping?: string | undefined;
  rows?: number | undefined;
  streaming: boolean;
  maxLength: number;
  epochs: number;
  maxSteps: number;
  learningRate: number;
  batchSize: number;
  gradientAccumulationSteps: number;
  weightDecay: number;
  warmupRatio: number;
  lrSchedulerType: SchedulerType;
  maxGradNorm: number;
  groupByLength: boolean;
  freeze: Freeze;
  seed: number;
  evalBatchSize: number;
  evalSteps: number;
  earlyStoppingPatience: number;
  earlyStoppingThreshold: number;
  saveSteps: number;
  saveTotalLimit: number;
  mlmProbability: number;
  wholeWordMask: boolean;
  precision: PrecisionSetting;
  eager: boolean;
  jitCompile: JitCompileSetting;
  clusterTimeout: number;
  allowPublicCluster: boolean;
  maxTrainSamples: number;
  quick: boolean;
  fastDevRun: boolean;
  overfitBatches: number;
  runFolder: string;
}

/** The names of all settings. */
export type SettingName = keyof Settings;

/** Every setting, its environment variable, what it is, and its default, if it has a fixed one. */
export const settingsList = (Object.keys(schema.shape) as SettingName[]).map((setting) => ({
  setting,
  variable: `TUNEBOOK_${setting.replace(/[A-Z]/g, '_$&').toUpperCase()}`,
  default: schema.shape[setting].safeParse(undefined).data,
  ...descriptions.get(schema.shape[setting])!,
}));

const listed = new Map(settingsList.map((each) => [each.setting, each]));

/** The description of a setting. */
export const describeSetting = (setting: SettingName) => listed.get(setting)!;

/** Other variables of ours; where they are read is said in the README. */
const otherVariables = [
  'BENCH_PYTHON',
  'CHROMIUM',
  'KERNEL_LEVEL',
  'MLFLOW_PYTHON',
  'PYTHON',
  'REJECTIONS',
  'SCREENSHOTS',
  'SERVE_TOKEN',
  'TENSORFLOW',
];

/** The likeliest of some names for one that is none of them, as a question; nothing where none is near. */
export function didYouMean(wrong: string, names: string[]): string {
  // learning_rate and learningRate are the same distance from learningrat.
  const plain = (name: string) => name.replace(/[-_ ]/g, '').toLowerCase();
  const near = closest(plain(wrong), names.map(plain));
  if (distance(plain(wrong), near) > Math.max(2, wrong.length / 3)) return '';
  return ` Did you mean ${names.find((name) => plain(name) === near)}?`;
}

/** Settings from one place. */
export interface SettingsLayer {
  /** The place, for people: `environment`, `run.yaml`. */
  origin: string;
  /** As they were written: text and numbers alike are checked when they are resolved. */
  values: Partial<Record<SettingName, unknown>>;
  /** A setting as it is written there: `TUNEBOOK_EPOCHS`, `--epochs`. */
  nameOf: (setting: SettingName) => string;
}

/**
 * What the environment says. Empty variables say nothing.
 * @throws SettingsError for a TUNEBOOK_ variable that does not exist
 */
export function environmentLayer(environment: NodeJS.ProcessEnv = process.env): SettingsLayer {
  const variables = settingsList.map(({ variable }) => variable);
  const known = new Set([...variables, ...otherVariables.map((other) => `TUNEBOOK_${other}`)]);
  for (const variable of Object.keys(environment))
    if (variable.startsWith('TUNEBOOK_') && !known.has(variable))
      throw new SettingsError(
        'SETTING_UNKNOWN',
        `There is no setting ${variable}.${didYouMean(variable, variables)} README lists them all; unset it, or mend its name.`,
        { name: variable },
      );
  return {
    origin: 'environment',
    values: Object.fromEntries(
      settingsList
        .filter(({ variable }) => (environment[variable] ?? '') !== '')
        .map(({ setting, variable }) => [setting, environment[variable]]),
    ),
    nameOf: (setting) => describeSetting(setting).variable,
  };
}

/** All settings, and why each is what it is. */
export interface ResolvedSettings {
  settings: Settings;
  /** Where each value came from: a layer's origin, or `default`. */
  origins: Record<SettingName, string>;
}

/** What a fast development run is: through everything, in seconds. */
const fastDevRun = { rows: 64, maxLength: 32, maxSteps: 2, evalSteps: 1 } satisfies Partial<Settings>;

/** What the quick setting of notebooks is, where nobody says otherwise. */
const quickRun = { rows: 800, epochs: 1, learningRate: 2e-4 } satisfies Partial<Settings>;

/**
 * The settings of layers, a later one going before an earlier one.
 * @throws SettingsError naming the place, the value and what it may be
 */
export function resolveSettings(layers: SettingsLayer[]): ResolvedSettings {
  const raw: Partial<Record<SettingName, unknown>> = {};
  const from: Partial<Record<SettingName, SettingsLayer>> = {};
  for (const layer of layers)
    for (const [setting, value] of Object.entries(layer.values) as [SettingName, unknown][]) {
      // Of JSON's null and of what a caller leaves open nothing is known.
      if (value === undefined || value === null) continue;
      raw[setting] = value;
      from[setting] = layer;
    }
  const result = schema.safeParse(raw);
  if (!result.success) {
    const [issue] = result.error.issues;
    const setting = issue!.path[0] as SettingName;
    const why = issue!.code === 'custom' && issue.message !== 'Invalid input' ? ` (${issue.message})` : '';
    throw new SettingsError(
      'SETTING_INVALID',
      `${from[setting]!.nameOf(setting)} is '${String(raw[setting])}'; it must be ${describeSetting(setting).allowed}${why}.`,
      { name: setting, value: raw[setting], origin: from[setting]!.origin },
    );
  }
  const settings: Settings = result.data;
  const origins = Object.fromEntries(
    settingsList.map(({ setting }) => [setting, from[setting]?.origin ?? 'default']),
  ) as Record<SettingName, string>;
  if (settings.quick)
    for (const setting of Object.keys(quickRun) as (keyof typeof quickRun)[]) {
      if (origins[setting] !== 'default') continue;
      settings[setting] = quickRun[setting];
      origins[setting] = 'quick';
    }
  if (settings.fastDevRun) {
    Object.assign(settings, fastDevRun);
    for (const setting of Object.keys(fastDevRun)) origins[setting as SettingName] = 'fastDevRun';
  }
  return { settings, origins };
}

/**
 * The settings of a notebook: defaults, then what the code gives, then the environment.
 * @throws SettingsError naming the place, the value and what it may be
 */
export const readSettings = (given: Partial<Settings> = {}, environment: NodeJS.ProcessEnv = process.env): Settings =>
  resolveSettings([{ origin: 'code', values: given, nameOf: (setting) => setting }, environmentLayer(environment)])
    .settings;

/** Groups of settings that few change. */
const quiet: SettingGroup[] = ['Evaluation and checkpoints', 'Masking', 'Several ranks', 'Smoke tests'];

/** The settings as rows of a table, each with the environment variable that overrides it; of those that few change the changed ones. */
export const describeSettings = (settings: Settings): { setting: string; variable: string; value: string }[] =>
  settingsList
    .filter(({ setting, group, default: standard }) => !quiet.includes(group) || settings[setting] !== standard)
    .map(({ setting, variable }) => ({
      setting,
      variable,
      value: String(settings[setting] ?? 'by what there is'),
    }));

/** What training is told of the settings, under the names of Hugging Face's TrainingArguments. */
export const trainingArguments = (settings: Settings): Partial<TrainingArguments> => ({
  learningRate: settings.learningRate,
  numTrainEpochs: settings.epochs,
  maxSteps: settings.maxSteps,
  trainBatchSize: settings.batchSize,
  evalBatchSize: settings.evalBatchSize,
  gradientAccumulationSteps: settings.gradientAccumulationSteps,
  weightDecay: settings.weightDecay,
  warmupRatio: settings.warmupRatio,
  lrSchedulerType: settings.lrSchedulerType,
  maxGradNorm: settings.maxGradNorm,
  groupByLength: settings.groupByLength,
  evalSteps: settings.evalSteps,
  earlyStoppingPatience: settings.earlyStoppingPatience,
  earlyStoppingThreshold: settings.earlyStoppingThreshold,
  saveSteps: settings.saveSteps,
  saveTotalLimit: settings.saveTotalLimit,
  freeze: settings.freeze,
  seed: settings.seed,
});
