/** The printed result of a sweep: a table, the best combination, and the runs that failed. */
import { tableBundle } from '../figures/html-table.js';
import { describeValues } from '../jobs/search-space.js';
import { selectionMetrics, type SelectionMetric } from '../runs/metrics.js';
import type { Spread, Sweep, SweepGroup, SweepResult } from '../jobs/sweep.js';

const describeSpread = (spread: Spread | null, metric: SelectionMetric) => {
  if (!spread) return '';
  const { mean, deviation } = spread;
  const { format, spread: formatSpread } = selectionMetrics[metric];
  return format(mean) + (deviation === null ? '' : ` ± ${formatSpread(deviation)}`);
};

/** A row per combination of a grid, with mean and standard deviation over its seeds. */
const gridRow = ({ finished, pruned, runs }: SweepGroup) => ({
  runs: `${finished === runs ? runs : `${finished} of ${runs}`}${pruned > 0 ? `, ${pruned} pruned` : ''}`,
});

/** Describes the result of a sweep. */
export function describeResult({ sampler, trials }: Sweep, { groups, metric, best, runs }: SweepResult): string {
  const rows = groups.map((group, i) => ({
    ...(sampler !== 'grid' && { run: runs[i]!.name }),
    settings: describeValues(group.values),
    ...(sampler === 'grid' ? gridRow(group) : { state: runs[i]!.state }),
    validation: describeSpread(group.validation, metric),
    test: describeSpread(group.test, metric),
    '': group === best ? 'best' : '',
  }));
  const failed = runs.filter(({ state }) => state === 'failed');
  const pruned = runs.filter(({ state }) => state === 'pruned');
  return [
    tableBundle(rows)['text/plain'],
    ...(best
      ? [
          `\nBest by validation ${selectionMetrics[metric].name}: ${describeValues(best.values)}. Its test ${selectionMetrics[metric].name}: ${describeSpread(best.test, metric)}${best.finished > 1 ? ` (mean and standard deviation of ${best.finished} seeds)` : ''}.`,
        ]
      : []),
    ...(!best && pruned.length > 0 ? ['\nNo best: every combination has a run that was pruned or failed.'] : []),
    ...(pruned.length > 0 ? [`Pruned: ${pruned.length} of ${trials} runs.`] : []),
    ...failed.map(({ name, message }) => `Failed: ${name}: ${message ?? ''}`),
  ].join('\n');
}
