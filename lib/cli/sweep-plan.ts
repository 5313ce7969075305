/** Which sweep a command line starts or resumes. Everything is checked before any run starts. */
import path from 'node:path';
import type { Command } from 'commander';
import { SettingsError } from '../errors.js';
import type { PrunerSettings } from '../jobs/pruner.js';
import type { SamplerName } from '../jobs/sampler.js';
import {
  describeDimension,
  isRange,
  readDimension,
  valuesToCheck,
  type Dimension,
  type SampledValues,
  type SearchSpace,
} from '../jobs/search-space.js';
import { combinationsOf, isUnfinished, type Sweep } from '../jobs/sweep.js';
import { RunFolder, sweepFile } from '../runs/run-folder.js';
import { configLayer } from '../settings/config-file.js';
import { flagOf } from '../settings/setting-text.js';
import { describeSetting, environmentLayer, resolveSettings, type SettingName } from '../settings/settings.js';
import { readInteger } from './integer-argument.js';
import { chooseMultirun } from './multirun.js';
import { flagsLayer } from './settings-flags.js';

/** The flags of a sweep that are not settings. */
export interface SweepFlags {
  sampler?: SamplerName;
  trials?: string;
  pruner?: PrunerSettings['name'];
  prunerWarmup?: string;
  timeout?: string;
  parallel?: string;
  config?: string;
  printConfig?: boolean;
  json?: boolean;
  resume?: string | true;
  runFolder?: string;
}

const dimensionsOf = (space: SearchSpace) => Object.entries(space) as [SettingName, Dimension][];

const conflict = (names: string[], message: string) => new SettingsError('SETTING_CONFLICT', message, { names });

/** @throws SettingsError if the setting cannot have several values in this sweep */
function checkDimension(setting: SettingName, dimension: Dimension, sampler: SamplerName): void {
  const flag = flagOf(setting);
  const shown = describeDimension(dimension);
  if (!isRange(dimension) && new Set(dimension).size < dimension.length)
    throw new SettingsError('SETTING_REPEATED', `${flag} contains a value twice: ${shown}. Remove the duplicate.`, {
      names: [flag],
      values: dimension,
    });
  if (describeSetting(setting).neutral)
    throw new SettingsError(
      'SETTING_INVALID',
      `${flag} does not affect the result of training. Give it one value instead of ${shown}.`,
      { name: flag, value: dimension },
    );
  if (isRange(dimension) && sampler === 'grid')
    throw conflict(
      [flag, '--sampler'],
      `${flag} is a range, but the sampler grid tries every value. ` +
        'Add --sampler tpe --trials 20, or list the values: 1,2,3.',
    );
  if (setting === 'problemType')
    throw conflict(
      [flag],
      `${flag} has several values, but accuracies of classes and losses of numbers cannot be compared. Give it one value.`,
    );
  if (setting === 'seed' && sampler !== 'grid')
    throw conflict(
      [flag, '--sampler'],
      `${flag} has several values, of which the sampler ${sampler} would choose the luckiest. Give it one value, ` +
        'and repeat the best run afterwards with several seeds and the sampler grid.',
    );
}

/** Number of runs. @throws SettingsError if it is missing, or given for a grid */
function readTrials({ trials }: SweepFlags, sampler: SamplerName, space: SearchSpace, stored?: Sweep): number {
  if (sampler === 'grid') {
    if (trials !== undefined)
      throw conflict(
        ['--trials', '--sampler'],
        'The sampler grid runs all combinations, so --trials does not apply. Remove it, or add --sampler tpe or --sampler random.',
      );
    return dimensionsOf(space).reduce((product, [, dimension]) => product * valuesToCheck(dimension).length, 1);
  }
  if (trials !== undefined) return Math.max(readInteger('--trials', trials, 1), stored?.runs.length ?? 0);
  if (stored) return stored.trials;
  throw new SettingsError(
    'SETTING_MISSING',
    `The sampler ${sampler} needs the number of runs, for example --trials 20.`,
    { name: '--trials' },
  );
}

function readPruner({ pruner: name = 'none', prunerWarmup }: SweepFlags): PrunerSettings {
  if (prunerWarmup !== undefined && name !== 'median')
    throw conflict(
      ['--pruner-warmup', '--pruner'],
      `--pruner-warmup applies to --pruner median only, not to ${name}. Remove it, or add --pruner median.`,
    );
  return { name, warmup: prunerWarmup === undefined ? 0 : readInteger('--pruner-warmup', prunerWarmup, 0) };
}

/** Values of runs such that each value to check occurs: of a grid all combinations. */
function runsToCheck(sampler: SamplerName, space: SearchSpace): SampledValues[] {
  const values = dimensionsOf(space).map(([setting, dimension]) => [setting, valuesToCheck(dimension)] as const);
  if (sampler === 'grid') return combinationsOf(Object.fromEntries(values)).map((run) => run.values);
  const first = Object.fromEntries(values.map(([setting, [value]]) => [setting, value!]));
  return values.flatMap(([setting, all]) => all.map((value) => ({ ...first, [setting]: value })));
}

/**
 * Plans the sweep of a command line.
 * @param stored the sweep that is resumed
 * @throws SettingsError if any run would be invalid, before any run starts
 */
export function planSweep(command: Command, flags: SweepFlags, stored?: Sweep): Sweep {
  const { sampler = 'grid', config } = flags;
  const given = flagsLayer(command);
  const space: SearchSpace = {};
  const argv: string[] = config ? ['--config', path.resolve(config)] : [];
  for (const [setting, value] of Object.entries(given.values) as [SettingName, string | boolean][]) {
    if (setting === 'runFolder') continue;
    const dimension = readDimension(setting, String(value));
    if (!isRange(dimension) && dimension.length === 1) argv.push(flagOf(setting), dimension[0]!);
    else {
      checkDimension(setting, dimension, sampler);
      space[setting] = dimension;
    }
  }
  if (Object.keys(space).length === 0)
    throw new SettingsError(
      'SETTING_MISSING',
      'A sweep needs a setting with several values, separated by commas: --lr 1e-5,3e-5,5e-5 --seed 1,2,3; ' +
        'or a range: --sampler tpe --trials 20 --lr 1e-5..1e-3. For a single run, use npx tunebook finetune.',
    );
  const trials = readTrials(flags, sampler, space, stored);
  const pruner = readPruner(flags);
  const others = Object.fromEntries(Object.entries(given.values).filter(([setting]) => !(setting in space)));
  const layers = [...(config ? [configLayer(config)] : []), environmentLayer(), { ...given, values: others }];
  const resolved = runsToCheck(sampler, space).map((values) =>
    resolveSettings([...layers, { origin: 'command line', values, nameOf: flagOf }]),
  );
  const runs = sampler === 'grid' ? combinationsOf(space as Record<SettingName, string[]>) : [];
  const { seed } = resolved[0]!.settings;
  return { sampler, space, trials, seed, pruner, argv, startedAt: new Date().toISOString(), runs };
}

/** The sweep of a folder; undefined if there is none, or one of an earlier version. */
function readSweep(folder: RunFolder): Sweep | undefined {
  const sweep = folder.read<Partial<Sweep>>(sweepFile);
  return sweep?.space && (sweep as Sweep);
}

/** Whether any run of a sweep has trained. */
export const hasTrained = (folder: RunFolder, { runs }: Sweep): boolean =>
  runs.some(({ name }) => new RunFolder(folder.path(name)).hasTrained);

/** The flags that a sweep was started with. */
const describeSweep = ({ sampler, space, pruner, argv }: Sweep): string =>
  [
    ...argv,
    ...dimensionsOf(space).flatMap(([setting, dimension]) => [flagOf(setting), describeDimension(dimension)]),
    ...(sampler === 'grid' ? [] : ['--sampler', sampler]),
    ...(pruner.name === 'none' ? [] : ['--pruner', pruner.name]),
    ...(pruner.warmup === 0 ? [] : ['--pruner-warmup', pruner.warmup]),
  ].join(' ');

const fingerprint = ({ sampler, space, seed, pruner, argv }: Sweep) =>
  JSON.stringify([sampler, space, seed, pruner, argv]);

/**
 * Selects the sweep to start or to resume, and its folder.
 * @throws RunError as chooseMultirun, SettingsError as planSweep
 */
export const chooseSweep = (command: Command, flags: SweepFlags): { folder: RunFolder; plan: Sweep } =>
  chooseMultirun<Sweep>(flags, {
    name: 'sweep',
    planFile: sweepFile,
    example: 'npx tunebook sweep --lr 1e-5,3e-5 --seed 1,2,3',
    onWorkers: "'npx tunebook finetune' on all workers for each combination",
    read: readSweep,
    hasTrained,
    isFinished: (folder, sweep) => !isUnfinished(folder.folder, sweep),
    plan: () => planSweep(command, flags),
    resume(stored) {
      const { values } = flagsLayer(command);
      const hasPlan =
        Object.keys(values).some((setting) => setting !== 'runFolder') ||
        (['sampler', 'pruner', 'prunerWarmup'] as const).some((name) => flags[name] !== undefined);
      if (!hasPlan) {
        const trials = readTrials(flags, stored.sampler, stored.space, stored);
        return { plan: { ...stored, trials }, isChanged: false };
      }
      const requested = planSweep(command, flags, stored);
      const isChanged = fingerprint(requested) !== fingerprint(stored);
      return { plan: isChanged ? requested : { ...stored, trials: requested.trials }, isChanged };
    },
    describe: describeSweep,
  });
