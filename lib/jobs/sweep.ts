/** Sweeps: runs with all combinations of a grid, or with sampled values, and the best of them. */
import fs from 'node:fs';
import type { SettingName } from '../settings/settings.js';
import { dashed } from '../settings/setting-text.js';
import {
  selectionMetric,
  selectionMetrics,
  selectionResults,
  type AnyFinetuneMetrics,
  type SelectionMetric,
} from '../runs/metrics.js';
import { RunFolder, type RunStatus } from '../runs/run-folder.js';
import type { PrunerSettings } from './pruner.js';
import { sampleValues, type SamplerName } from './sampler.js';
import type { PlannedRun, SampledValues, SearchSpace } from './search-space.js';
import type { Trial } from './trials.js';

/** The content of sweep.json. */
export interface Sweep {
  sampler: SamplerName;
  space: SearchSpace;
  /** Number of runs. */
  trials: number;
  /** Seed of the sampler, which is that of the runs. */
  seed: number;
  pruner: PrunerSettings;
  /** The command line that all runs share, without the values that vary and without the run folder. */
  argv: string[];
  startedAt: string;
  /** The runs so far: of a grid all combinations, else those that have been sampled. */
  runs: PlannedRun[];
}

const sanitize = (value: string) => value.replace(/[^\w.+-]+/g, '_');

/** All combinations of choices; the first setting changes slowest. */
export function combinationsOf(grid: Partial<Record<SettingName, string[]>>): PlannedRun[] {
  const settings = Object.keys(grid) as SettingName[];
  const all = settings.reduce<SampledValues[]>(
    (combinations, setting) =>
      combinations.flatMap((values) => grid[setting]!.map((value) => ({ ...values, [setting]: value }))),
    [{}],
  );
  return all.map((values) => ({
    name: settings.map((setting) => `${dashed(setting)}-${sanitize(values[setting]!)}`).join('_'),
    values,
  }));
}

/** The name of a sampled run: `trial-7`, with Optuna's numbers from 0. */
export const trialName = (number: number): string => `trial-${number}`;

/**
 * Samples the next run of a sweep.
 * @param trials of the runs so far, by number
 */
export function sampleRun({ sampler, space, seed, runs }: Sweep, trials: Trial[]): PlannedRun {
  if (sampler === 'grid') throw new Error('A grid has its runs from the beginning.');
  const observed = trials.flatMap(({ state, ...trial }) => (state === 'failed' ? [] : { ...trial, state }));
  return { name: trialName(runs.length), values: sampleValues(sampler, space, seed, runs.length, observed) };
}

/** Mean and sample standard deviation; the deviation of a single value is null. */
export interface Spread {
  mean: number;
  deviation: number | null;
}

/** The results of one combination over all seeds. */
export interface SweepGroup {
  values: SampledValues;
  /** Number of finished runs. */
  finished: number;
  /** Number of pruned runs. */
  pruned: number;
  /** Number of all runs. */
  runs: number;
  /** Accuracy (multi-label classification: micro F1; regression: loss) of the best evaluation on the validation set, by which the best combination is chosen. */
  validation: Spread | null;
  test: Spread | null;
}

/** The results of a sweep. */
export interface SweepResult {
  runs: (PlannedRun & {
    state: RunFolder['state'] | 'not begun';
    message: string | null;
    metrics: AnyFinetuneMetrics | null;
  })[];
  groups: SweepGroup[];
  /** By what the best combination is chosen: the highest accuracy or micro F1, or for regression the lowest loss. */
  metric: SelectionMetric;
  /** The combination with the best mean validation result among those without a pruned run; null if there is none. */
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
export function sweepResult(folder: string, { sampler, runs: planned }: Sweep): SweepResult {
  const runs = planned.map((each) => {
    const run = new RunFolder(`${folder}/${each.name}`);
    const state = fs.existsSync(run.path('status.json')) ? run.state : ('not begun' as const);
    return {
      ...each,
      state,
      message: run.pruned?.reason ?? run.read<RunStatus>('status.json')?.message ?? null,
      // A pruned run that ended before it could be stopped has metrics.
      metrics: state === 'pruned' ? null : (run.read<AnyFinetuneMetrics>('metrics.json') ?? null),
    };
  });
  const groups = new Map<string, typeof runs>();
  for (const run of runs) {
    const { seed: _, ...others } = run.values;
    // Sampled runs may have the same values.
    const key = sampler === 'grid' ? JSON.stringify(others) : run.name;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const results = [...groups.values()].map((members): SweepGroup => {
    const finished = members.flatMap(({ metrics }) => (metrics ? selectionResults(metrics) : []));
    const { seed: _, ...values } = members[0]!.values;
    return {
      values,
      finished: finished.length,
      pruned: members.filter(({ state }) => state === 'pruned').length,
      runs: members.length,
      validation: spreadOf(finished.flatMap(({ validation }) => validation ?? [])),
      test: spreadOf(finished.map(({ test }) => test)),
    };
  });
  const metric = selectionMetric(runs.find(({ metrics }) => metrics)?.metrics);
  const scoreOf = ({ validation }: SweepGroup) => selectionMetrics[metric].sign * validation!.mean;
  const best = results
    .filter(({ validation, pruned }) => validation && pruned === 0)
    .reduce<SweepGroup | null>((best, group) => (best && scoreOf(best) >= scoreOf(group) ? best : group), null);
  return { runs, groups: results, metric, best };
}

/** Whether a sweep has runs to start or to resume. */
export const isUnfinished = (folder: string, sweep: Sweep): boolean =>
  sweep.runs.length < sweep.trials ||
  sweepResult(folder, sweep).runs.some(({ state, metrics }) => !metrics && state !== 'pruned');
