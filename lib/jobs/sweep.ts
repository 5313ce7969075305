/** Sweeps: the same job with several values of some settings, all of them together, and which values were best. */
import fs from 'node:fs';
import type { SettingName } from '../settings/settings.js';
import type { FinetuneMetrics } from '../runs/metrics.js';
import { RunFolder, type RunStatus } from '../runs/run-folder.js';

/** Values by setting; every combination is a run. */
export type Grid = Partial<Record<SettingName, string[]>>;

/** sweep.json */
export interface Sweep {
  grid: Grid;
  /** The command line of every run, but for its own values and folder. */
  argv: string[];
  startedAt: string;
}

export interface Combination {
  /** Folder of the run, inside the sweep's. */
  name: string;
  values: Partial<Record<SettingName, string>>;
}

/** Settings whose text holds commas of its own, or that are one for all runs. */
const single: SettingName[] = ['dataset', 'datasetConfig', 'textColumns', 'labelColumn', 'labelMapping', 'runFolder'];

/** The values of a flag: by commas, where the setting is one that may have several. */
export const valuesOf = (setting: SettingName, text: string): string[] =>
  single.includes(setting) ? [text] : text.split(',').map((value) => value.trim());

const dashed = (setting: SettingName) => setting.replace(/[A-Z]/g, '-$&').toLowerCase();
const inName = (value: string) => value.replace(/[^\w.+-]+/g, '_');

/** All combinations, the first setting changing slowest. */
export function combinationsOf(grid: Grid): Combination[] {
  const settings = Object.keys(grid) as SettingName[];
  const all = settings.reduce<Combination['values'][]>(
    (combinations, setting) =>
      combinations.flatMap((values) => grid[setting]!.map((value) => ({ ...values, [setting]: value }))),
    [{}],
  );
  return all.map((values) => ({
    name: settings.map((setting) => `${dashed(setting)}-${inName(values[setting]!)}`).join('_'),
    values,
  }));
}

/** Mean and standard deviation (of a sample; none of one value). */
export interface Spread {
  mean: number;
  deviation: number | null;
}

/** What came of one combination, whatever the seed. */
export interface SweepGroup {
  values: Combination['values'];
  /** Runs that are finished, and all. */
  finished: number;
  runs: number;
  /** Accuracy of the best look at the validation reviews, by which the best combination is chosen. */
  validation: Spread | null;
  test: Spread | null;
}

export interface SweepResult {
  runs: (Combination & {
    state: RunFolder['state'] | 'not begun';
    message: string | null;
    metrics: FinetuneMetrics | null;
  })[];
  groups: SweepGroup[];
  /** The combination with the highest mean validation accuracy; none while no run is finished. */
  best: SweepGroup | null;
}

export function spreadOf(values: number[]): Spread | null {
  if (values.length === 0) return null;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null };
}

/** What came out of a sweep so far. */
export function sweepResult(folder: string, { grid }: Sweep): SweepResult {
  const runs = combinationsOf(grid).map((combination) => {
    const run = new RunFolder(`${folder}/${combination.name}`);
    const begun = fs.existsSync(run.of('status.json'));
    return {
      ...combination,
      state: begun ? run.state : ('not begun' as const),
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
  const found = [...groups].map(([key, members]): SweepGroup => {
    const finished = members.flatMap(({ metrics }) => metrics ?? []);
    return {
      values: JSON.parse(key) as Combination['values'],
      finished: finished.length,
      runs: members.length,
      validation: spreadOf(finished.flatMap(({ validation }) => validation?.metrics.accuracy ?? [])),
      test: spreadOf(finished.map(({ test }) => test.accuracy)),
    };
  });
  const best = found
    .filter(({ validation }) => validation)
    .reduce<SweepGroup | null>(
      (best, group) => (best && best.validation!.mean >= group.validation!.mean ? best : group),
      null,
    );
  return { runs, groups: found, best };
}

/** A combination in words: learningRate 1e-5, seed 3. */
export const describeValues = (values: Combination['values']): string =>
  (Object.keys(values) as SettingName[]).map((setting) => `${setting} ${values[setting]}`).join(', ') || 'as told';
