/** `tunebook inspect`: reports the quality of reviews before training, in the terminal and as an HTML page. */
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { fetchModel } from '../model/fetch-model.js';
import { chooseSources } from '../hub/sources.js';
import { loadTokenizer } from '../model/load-tokenizer.js';
import { readPreprocessing } from '../model/preprocessing.js';
import { ReviewsError } from '../errors.js';
import { openReviews } from '../reviews/open-reviews.js';
import type { ReviewSource } from '../reviews/review-source.js';
import { sampleSize } from '../reviews/sample.js';
import { runOfModel } from '../runs/held-out-predictions.js';
import { inspectReviews } from '../runs/inspection.js';
import { findingsOf, inspectionPage, inspectionText } from '../runs/inspection-report.js';
import { modelFolderOf, type RunFolder } from '../runs/run-folder.js';
import { runsFolder } from '../runs-folder.js';
import { environmentLayer, resolveSettings, type Settings } from '../settings/settings.js';
import { describeDevice } from '../tensorflow/device.js';
import { writeAtomically } from '../work-folder.js';
import { flagsLayer } from './settings-flags.js';

/** Number of reviews that are sampled from larger files unless --rows is set; more would take minutes. */
const defaultRows = 100_000;

/** The default file of the page: runs/inspect-reviews-csv.html for reviews.csv. */
const defaultPage = (dataset: string) =>
  path.join(runsFolder, `inspect-${path.basename(dataset).replace(/[^\w-]+/g, '-')}.html`);

/** Problems of labels that leave the texts readable. */
const labelProblems = [
  'REVIEWS_NO_LABEL_COLUMN',
  'REVIEWS_MULTI_LABEL',
  'REVIEWS_TOO_MANY_CLASSES',
  'REVIEWS_EMPTY_CLASS',
];

/** Opens reviews as finetune does; only their texts, with the reason, if their labels cannot be read. */
async function openWithLabels(
  name: string,
  settings: Settings,
): Promise<{ source: ReviewSource; labelProblem?: string }> {
  // The environment may set a problem type for fine-tuning.
  const options = { ...settings, problemType: undefined, allColumns: true };
  try {
    return { source: await openReviews(name, options) };
  } catch (error) {
    if (!(error instanceof ReviewsError && labelProblems.includes(error.code))) throw error;
    return {
      source: await openReviews(name, { ...options, labelColumn: undefined, labelsOptional: true }),
      labelProblem: error.message,
    };
  }
}

/** Opens reviews with the text columns of a run, whose model predicts them, if there are such columns. */
async function openAsInRun(name: string, settings: Settings, run: RunFolder | undefined) {
  const reading = run && readPreprocessing(modelFolderOf(run))?.reading;
  const { textColumns = reading?.textColumns, textPairColumn = reading?.textPairColumn } = settings;
  try {
    return await openWithLabels(name, { ...settings, textColumns, textPairColumn });
  } catch (error) {
    if (!(reading && error instanceof ReviewsError && error.code === 'REVIEWS_NO_COLUMN')) throw error;
    return openWithLabels(name, settings);
  }
}

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
  const { source, labelProblem } = await openAsInRun(sources.dataset, settings, run);
  const tokenizer = loadTokenizer((await fetchModel(sources.model)).folder);
  const size = sampleSize(settings, source, describeDevice());
  const rows = size === -1 && settings.rows === undefined ? defaultRows : size;
  const inspected = await inspectReviews(source, { ...settings, tokenizer, rows, run, labelProblem });
  writeAtomically(file, await inspectionPage(inspected, tokenizer));
  const { inspection } = inspected;
  if (json) console.log(JSON.stringify({ findings: findingsOf(inspection), ...inspection, page: file }, null, 2));
  else console.log(`${inspectionText(inspected, tokenizer)}\n\nPage  ${file}`);
}
