/** Sweeps: a grid of settings, one run per combination, and the best combination. */
import fs from 'node:fs';
import { describeSetting, type SettingName } from '../settings/settings.js';
import type { FinetuneMetrics } from '../runs/metrics.js';
import { RunFolder, type RunStatus } from '../runs/run-folder.js';

/** Values by setting; each combination is one run. */
export type Grid = Partial<Record<SettingName, string[]>>;

/** The content of sweep.json. */
export interface Sweep {
  grid: Grid;
  /** The command line that all runs share, without the values of the grid and without the run folder. */
  argv: string[];
  startedAt: string;
}

/** One combination of the grid. */
export interface Combination {
  /** Name of the run's folder in the sweep's folder. */
  name: string;
  values: Partial<Record<SettingName, string>>;
}

/** Settings that cannot vary in a sweep, since their text contains commas or they apply to all runs. */
const fixed: SettingName[] = [
  ...([
    'dataset',
    'datasetConfig',
    'textColumns',
    'textPairColumn',
    'labelColumn',
    'labelMapping',
    'runFolder',
    'reportTo',
    'loraTargetModules',
  ] as const),
];

/** The values of a flag: several if the setting can vary in a sweep. */
export const valuesOf = (setting: SettingName, text: string): string[] =>
  fixed.includes(setting)
    ? [text]
    : (describeSetting(setting).split?.(text) ?? text.split(',')).map((value) => value.trim());

const dashed = (setting: SettingName) => setting.replace(/[A-Z]/g, '-$&').toLowerCase();
const sanitize = (value: string) => value.replace(/[^\w.+-]+/g, '_');

/** All combinations of a grid; the first setting changes slowest. */
export function combinationsOf(grid: Grid): Combination[] {
  const settings = Object.keys(grid) as SettingName[];
  const all = settings.reduce<Combination['values'][]>(
    (combinations, setting) =>
      combinations.flatMap((values) => grid[setting]!.map((value) => ({ ...values, [setting]: value }))),
    [{}],
  );
  return all.map((values) => ({
    name: settings.map((setting) => `${dashed(setting)}-${sanitize(values[setting]!)}`).join('_'),
    values,
  }));
}

/** Mean and sample standard deviation; the deviation of a single value is null. */
export interface Spread {
  mean: number;
  deviation: number | null;
}

/** The results of one combination over all seeds. */
export interface SweepGroup {
  values: Combination['values'];
  /** Number of finished runs. */
  finished: number;
  /** Number of all runs. */
  runs: number;
  /** Accuracy of the best evaluation on the validation set, by which the best combination is chosen. */
  validation: Spread | null;
  test: Spread | null;
}

/** The results of a sweep. */
export interface SweepResult {
  runs: (Combination & {
    state: RunFolder['state'] | 'not begun';
    message: string | null;
    metrics: FinetuneMetrics | null;
  })[];
  groups: SweepGroup[];
  /** The combination with the highest mean validation accuracy; null if no run has finished. */
  best: SweepGroup | null;
}

/** Computes mean and standard deviation; null for no values. */
export function spreadOf(values: number[]): Spread | null {
  if (values.length === 0) return null;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null };
}

/** The results of a sweep so far. */
export function sweepResult(folder: string, { grid }: Sweep): SweepResult {
  const runs = combinationsOf(grid).map((combination) => {
    const run = new RunFolder(`${folder}/${combination.name}`);
    const hasStarted = fs.existsSync(run.path('status.json'));
    return {
      ...combination,
      state: hasStarted ? run.state : ('not begun' as const),
      message: run.read<RunStatus>('status.json')?.message ?? null,
      metrics: run.read<FinetuneMetrics>('metrics.json') ?? null,
    };
  });
  const groups = new Map<string, typeof runs>();
  for (const run of runs) {
    const { seed: _, ...others } = run.values;
    const key = JSON.stringify(others);
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const results = [...groups].map(([key, members]): SweepGroup => {
    const finished = members.flatMap(({ metrics }) => metrics ?? []);
    return {
      values: JSON.parse(key) as Combination['values'],
      finished: finished.length,
      runs: members.length,
      validation: spreadOf(finished.flatMap(({ validation }) => validation?.metrics.accuracy ?? [])),
      test: spreadOf(finished.map(({ test }) => test.accuracy)),
    };
  });
  const best = results
    .filter(({ validation }) => validation)
    .reduce<SweepGroup | null>(
      (best, group) => (best && best.validation!.mean >= group.validation!.mean ? best : group),
      null,
    );
  return { runs, groups: results, best };
}

/** Describes a combination: `learningRate 1e-5, seed 3`. */
export const describeValues = (values: Combination['values']): string =>
  (Object.keys(values) as SettingName[]).map((setting) => `${setting} ${values[setting]}`).join(', ') || 'as given';
