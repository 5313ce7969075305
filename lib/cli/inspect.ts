/** `tunebook inspect`: reports the quality of reviews before training, in the terminal and as an HTML page. */
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { fetchModel } from '../model/fetch-model.js';
import { chooseSources } from '../hub/sources.js';
import { loadTokenizer } from '../model/load-tokenizer.js';
import { openReviews } from '../reviews/open-reviews.js';
import { sampleSize } from '../reviews/sample.js';
import { runOfModel } from '../runs/held-out-predictions.js';
import { inspectReviews } from '../runs/inspection.js';
import { findingsOf, inspectionPage, inspectionText } from '../runs/inspection-report.js';
import { modelFolderOf } from '../runs/run-folder.js';
import { runsFolder } from '../runs-folder.js';
import { environmentLayer, resolveSettings } from '../settings/settings.js';
import { describeDevice } from '../tensorflow/device.js';
import { writeAtomically } from '../work-folder.js';
import { flagsLayer } from './settings-flags.js';

/** Number of reviews that are sampled from larger files unless --rows is set; more would take minutes. */
const defaultRows = 100_000;

/** The default file of the page: runs/inspect-reviews.html for reviews.csv. */
const defaultPage = (dataset: string) =>
  path.join(
    runsFolder,
    `inspect-${
      path
        .basename(dataset)
        .replace(/\.[\w.]*$/, '')
        .replace(/[^\w-]+/g, '-') || 'reviews'
    }.html`,
  );

/**
 * Runs `tunebook inspect`.
 * @param dataset takes precedence over --dataset
 * @throws SettingsError, FileError, ReviewsError, ModelFormatError, HubError
 */
export async function inspect(dataset: string | undefined, command: Command): Promise<void> {
  const { out, json } = command.opts<{ out?: string; json?: boolean }>();
  const flags = flagsLayer(command);
  const named = { ...flags, values: { ...flags.values, ...(dataset !== undefined && { dataset }) } };
  const { settings } = resolveSettings([environmentLayer(), named]);
  const run = settings.model === undefined ? undefined : runOfModel(settings.model);
  const sources = await chooseSources({ ...settings, ...(run && { model: modelFolderOf(run) }) });
  if (!json) console.error(sources.banner);
  const file = out ?? defaultPage(sources.dataset);
  // A folder that cannot be created is reported before the work.
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const source = await openReviews(sources.dataset, { ...settings, labelsOptional: true, allColumns: true });
  const tokenizer = loadTokenizer((await fetchModel(sources.model)).folder);
  const size = sampleSize(settings, source, describeDevice());
  const rows = size === -1 && settings.rows === undefined ? defaultRows : size;
  const inspected = await inspectReviews(source, { ...settings, tokenizer, rows, run });
  writeAtomically(file, await inspectionPage(inspected, tokenizer));
  const { inspection } = inspected;
  if (json) console.log(JSON.stringify({ findings: findingsOf(inspection), ...inspection, page: file }, null, 2));
  else console.log(`${inspectionText(inspected, tokenizer)}\n\nPage  ${file}`);
}
