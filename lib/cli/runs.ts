/** `tunebook runs`: what runs there are, or some of them side by side. */
import { RunError } from '../errors.js';
import { tableBundle } from '../figures/html-table.js';
import { compareRuns, describeResult, summarizeRun } from '../runs/compare.js';
import { findRuns, openRun } from '../runs/run-folder.js';

const table = (rows: Record<string, string>[]) => tableBundle(rows)['text/plain'];

/**
 * @param names of those to compare; none for a list of all
 * @throws RunError when there are none
 */
export function listRuns(names: string[], { folder, json }: { folder: string; json?: boolean }): void {
  if (names.length > 0) {
    const runs = names.map((name) => openRun(name));
    console.log(json ? JSON.stringify(runs.map(summarizeRun), null, 2) : table(compareRuns(runs)));
    return;
  }
  const runs = findRuns(folder).map(summarizeRun);
  if (json) return console.log(JSON.stringify(runs, null, 2));
  if (runs.length === 0)
    throw new RunError('RUN_NOT_FOUND', `There are no runs in ${folder}/. 'tunebook finetune' makes one.`, { folder });
  console.log(
    table(
      runs.map(({ run, command, state, model, dataset, settings, metrics }) => ({
        run,
        command,
        state,
        model,
        reviews: dataset,
        'settings of its own': Object.entries(settings)
          .map(([name, value]) => `${name} ${String(value)}`)
          .join(', '),
        result: describeResult(metrics),
      })),
    ),
  );
}
