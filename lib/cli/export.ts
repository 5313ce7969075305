/** `tunebook export RUN`: writes a run's model as ONNX and checks it on the run's test reviews. */
import path from 'node:path';
import { exportModel, type ExportReport } from '../export/export.js';
import { loadReviews } from '../reviews/load-reviews.js';
import { isModelFolder, modelFolderOf, notebookModel, openRun, RunFolder } from '../runs/run-folder.js';
import { percent, size } from '../figures/format.js';
import { embeddedReviews } from '../reviews/embedded.js';
import { sampleReviews } from '../reviews/sample.js';
import { version } from '../version.js';

/** Options of the command line. */
export interface ExportOptions {
  calibrated?: boolean;
  json?: boolean;
}

/** Maximum number of reviews on which the exported model is checked. */
const maxReviews = 1000;

/** The run that a folder is, or whose model it is; undefined for any other model folder. */
function runOf(name: string): RunFolder | undefined {
  if (notebookModel(name)) return undefined;
  if (!isModelFolder(name)) return openRun(name);
  const parent = new RunFolder(path.dirname(path.resolve(name)));
  return parent.isRun && path.basename(name) === 'model' ? parent : undefined;
}

function describeExport(
  folder: string,
  { opset, maxLength, reviews, accuracy: reference, temperature, files }: ExportReport,
  isRun: boolean,
): string {
  const line = (precision: string, { file, bytes, difference, accuracy, agreement }: ExportReport['files']['int8']) =>
    `${precision.padEnd(9)}${folder}/${file} (${size(bytes)}): accuracy ${percent(accuracy)}, ` +
    `same prediction as TensorFlow for ${percent(agreement)}, maximum logit difference ${difference.toPrecision(2)}`;
  return [
    `Checked with onnxruntime on ${reviews} ${isRun ? "of the run's test reviews" : "embedded reviews, which may include the model's training reviews"} (opset ${opset}); TensorFlow's accuracy in float32 is ${percent(reference)}.`,
    line('float32', files.float32),
    line('int8', files.int8),
    `Scoring truncates texts to ${maxLength} tokens.`,
    ...(temperature === undefined
      ? []
      : [
          `The logits are divided by the temperature ${temperature.toPrecision(3)}; the decision threshold is not applied.`,
        ]),
  ].join('\n');
}

/**
 * Exports a model and prints the result of the check.
 * @param name a run or its model folder, or another model folder, which is checked on the embedded reviews
 * @param options.calibrated see exportModel
 * @throws RunError if the run has no model, ModelFormatError, ExportError
 */
export async function exportRun(name: string, { calibrated = false, json = false }: ExportOptions): Promise<void> {
  const run = runOf(name);
  const folder = run ? modelFolderOf(run) : (notebookModel(name) ?? name);
  const reviews = run
    ? (await loadReviews(run.settings!.sources.dataset, run.settings!.settings)).test
    : await sampleReviews(await embeddedReviews(), { rows: maxReviews });
  const report = await exportModel(folder, reviews.slice(0, maxReviews), { version, calibrated });
  console.log(
    json ? JSON.stringify({ folder, ...report }, null, 2) : describeExport(folder, report, run !== undefined),
  );
}
