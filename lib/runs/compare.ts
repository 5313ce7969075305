/** Summaries and comparisons of runs: settings and results. */
import { formatSetting, settingsList } from '../settings/settings.js';
import { isClassification, type RunMetrics } from './metrics.js';
import type { RunFolder, RunStatus } from './run-folder.js';
import { describeResult } from './describe-result.js';
import { percent, percentInterval } from '../figures/format.js';

/** A run in the list of `tunebook runs`. */
export interface RunSummary {
  run: string;
  command: string;
  state: RunFolder['state'];
  startedAt: string | null;
  model: string;
  dataset: string;
  /** Settings that differ from their defaults, by name. */
  settings: Record<string, unknown>;
  metrics: RunMetrics | null;
}

const isDefault = (value: unknown, standard: unknown) => value === undefined || value === standard;

/** Summarizes a run. */
export function summarizeRun(run: RunFolder): RunSummary {
  const { command, settings, sources } = run.settings!;
  const changed = settingsList.filter(
    ({ name, default: standard, neutral }) =>
      !neutral && !['source', 'model', 'dataset'].includes(name) && !isDefault(settings[name], standard),
  );
  return {
    run: run.folder,
    command,
    state: run.state,
    startedAt: run.read<RunStatus>('status.json')?.startedAt ?? null,
    model: sources.model,
    dataset: sources.dataset,
    settings: Object.fromEntries(changed.map(({ name }) => [name, settings[name]])),
    metrics: run.read<RunMetrics>('metrics.json') ?? null,
  };
}

/** A short description of a run's result; empty if it has none. */
export function shortResult(metrics: RunMetrics | null): string {
  if (!metrics) return '';
  return isClassification(metrics)
    ? `${percent(metrics.test.accuracy)} (${percentInterval(metrics.test.interval)})`
    : metrics.command === 'finetune'
      ? describeResult(metrics).short
      : `perplexity ${metrics.before.perplexity.toFixed(2)} -> ${metrics.after.perplexity.toFixed(2)}`;
}

const isDefined = (value: unknown) => value !== undefined && value !== null;

/** The rows of a table with one column per run: the settings that differ, then the results. */
export function compareRuns(runs: RunFolder[]): Record<string, string>[] {
  const columns = runs.map((run) => ({
    name: run.folder,
    ...run.settings!,
    metrics: run.read<RunMetrics>('metrics.json'),
  }));
  const row = (
    title: string,
    valueOf: (column: (typeof columns)[number]) => string | number | boolean | string[] | null | undefined,
  ) => ({
    '': title,
    ...Object.fromEntries(
      columns.map((column) => {
        const value = valueOf(column);
        return [column.name, isDefined(value) ? String(value) : ''];
      }),
    ),
  });
  const rows = settingsList
    .filter(({ name, neutral }) => {
      const values = columns.map(({ settings }) => JSON.stringify(settings[name] ?? null));
      return !neutral && new Set(values).size > 1;
    })
    .map(({ name }) =>
      row(name, ({ settings }) => (settings[name] === undefined ? undefined : formatSetting(name, settings[name]))),
    );
  const names = [...new Set(columns.flatMap(({ metrics }) => Object.keys(describeResult(metrics)?.test ?? {})))];
  return [
    ...rows,
    row('test accuracy', ({ metrics }) => (isClassification(metrics) ? percent(metrics.test.accuracy) : null)),
    row('95 % interval', ({ metrics }) => (isClassification(metrics) ? percentInterval(metrics.test.interval) : null)),
    ...names.map((name) => row(`test ${name}`, ({ metrics }) => describeResult(metrics)?.test[name])),
    row('test loss', ({ metrics }) => (metrics?.command === 'finetune' ? metrics.test.loss.toFixed(4) : null)),
    row('perplexity before', ({ metrics }) =>
      metrics?.command === 'adapt' ? metrics.before.perplexity.toFixed(2) : null,
    ),
    row('perplexity after', ({ metrics }) =>
      metrics?.command === 'adapt' ? metrics.after.perplexity.toFixed(2) : null,
    ),
    row('steps', ({ metrics }) => metrics?.training.step),
    row('samples/s', ({ metrics }) => metrics?.training.samplesPerSecond.toFixed(1)),
  ].filter((each) => Object.entries(each).some(([name, value]) => name !== '' && value !== ''));
}
