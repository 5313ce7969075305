/** Runs side by side: what was told differently, and what came out. */
import { formatSetting, settingsList } from '../settings/settings.js';
import type { RunMetrics } from './metrics.js';
import type { RunFolder, RunStatus } from './run-folder.js';
import { percent, percentInterval } from '../figures/format.js';

/** A run in a line. */
export interface RunSummary {
  run: string;
  command: string;
  state: RunFolder['state'];
  startedAt: string | null;
  model: string;
  dataset: string;
  /** Settings that are not as they would be by themselves, by name. */
  settings: Record<string, unknown>;
  metrics: RunMetrics | null;
}

const isUsual = (value: unknown, standard: unknown) => value === undefined || value === standard;

/** What is known of a run. */
export function summarizeRun(run: RunFolder): RunSummary {
  const { command, settings, sources } = run.settings!;
  const told = settingsList.filter(
    ({ name, default: standard, neutral }) =>
      !neutral && !['source', 'model', 'dataset'].includes(name) && !isUsual(settings[name], standard),
  );
  return {
    run: run.folder,
    command,
    state: run.state,
    startedAt: run.read<RunStatus>('status.json')?.startedAt ?? null,
    model: sources.model,
    dataset: sources.dataset,
    settings: Object.fromEntries(told.map(({ name }) => [name, settings[name]])),
    metrics: run.read<RunMetrics>('metrics.json') ?? null,
  };
}

/** The result of a run in a few words. */
export function describeResult(metrics: RunMetrics | null): string {
  if (!metrics) return '';
  return metrics.command === 'finetune'
    ? `${percent(metrics.test.accuracy)} (${percentInterval(metrics.test.interval)})`
    : `perplexity ${metrics.before.perplexity.toFixed(2)} -> ${metrics.after.perplexity.toFixed(2)}`;
}

const isDefined = (value: unknown) => value !== undefined && value !== null;

/** Rows of a table whose columns are runs: settings that differ among them, then what came out. */
export function compareRuns(runs: RunFolder[]): Record<string, string>[] {
  const told = runs.map((run) => ({
    name: run.folder,
    ...run.settings!,
    metrics: run.read<RunMetrics>('metrics.json'),
  }));
  const row = (
    what: string,
    valueOf: (of: (typeof told)[number]) => string | number | boolean | string[] | null | undefined,
  ) => ({
    '': what,
    ...Object.fromEntries(
      told.map((of) => {
        const value = valueOf(of);
        return [of.name, isDefined(value) ? String(value) : ''];
      }),
    ),
  });
  const rows = settingsList
    .filter(({ name, neutral }) => {
      const values = told.map(({ settings }) => JSON.stringify(settings[name] ?? null));
      return !neutral && new Set(values).size > 1;
    })
    .map(({ name }) =>
      row(name, ({ settings }) => (settings[name] === undefined ? undefined : formatSetting(name, settings[name]))),
    );
  return [
    ...rows,
    row('test accuracy', ({ metrics }) => (metrics?.command === 'finetune' ? percent(metrics.test.accuracy) : null)),
    row('95 % interval', ({ metrics }) =>
      metrics?.command === 'finetune' ? percentInterval(metrics.test.interval) : null,
    ),
    row('test loss', ({ metrics }) => (metrics?.command === 'finetune' ? metrics.test.loss.toFixed(4) : null)),
    row('perplexity before', ({ metrics }) =>
      metrics?.command === 'adapt' ? metrics.before.perplexity.toFixed(2) : null,
    ),
    row('perplexity after', ({ metrics }) =>
      metrics?.command === 'adapt' ? metrics.after.perplexity.toFixed(2) : null,
    ),
    row('updates', ({ metrics }) => metrics?.training.step),
    row('samples/s', ({ metrics }) => metrics?.training.samplesPerSecond.toFixed(1)),
  ].filter((each) => Object.entries(each).some(([name, value]) => name !== '' && value !== ''));
}
