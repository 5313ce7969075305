/** `tunebook runs`: lists all runs, or compares some of them. */
import { formatSetting, type SettingName } from '../settings/settings.js';
import { RunError } from '../errors.js';
import { tableBundle } from '../figures/html-table.js';
import { compareRuns, shortResult, summarizeRun } from '../runs/compare.js';
import { findRuns, openRun } from '../runs/run-folder.js';

const table = (rows: Record<string, string>[]) => tableBundle(rows)['text/plain'];

/**
 * Prints a list or a comparison of runs.
 * @param names names of the runs to compare; empty to list all
 * @throws RunError if a run does not exist, or if there are no runs to list
 */
export function listRuns(names: string[], { folder, json }: { folder: string; json?: boolean }): void {
  if (names.length > 0) {
    const runs = names.map((name) => openRun(name));
    console.log(json ? JSON.stringify(runs.map(summarizeRun), null, 2) : table(compareRuns(runs)));
    return;
  }
  const runs = findRuns(folder, (error) => console.error(`Left out: ${error.message}`)).map(summarizeRun);
  if (json) return console.log(JSON.stringify(runs, null, 2));
  if (runs.length === 0)
    throw new RunError('RUN_NOT_FOUND', `There are no runs in ${folder}/. Start one: npx tunebook finetune`, {
      folder,
    });
  console.log(
    table(
      runs.map(({ run, command, state, model, dataset, settings, metrics }) => ({
        run,
        command,
        state,
        model,
        reviews: dataset,
        'changed settings': (Object.entries(settings) as [SettingName, unknown][])
          .map(([name, value]) => `${name} ${formatSetting(name, value)}`)
          .join(', '),
        result: shortResult(metrics),
      })),
    ),
  );
}
