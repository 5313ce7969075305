/** `tunebook export RUN`: writes a run's model as ONNX and checks it on the run's test reviews. */
import path from 'node:path';
import { exportModel, exportRegression, type ExportReport, type RegressionExportReport } from '../export/export.js';
import { loadReviews } from '../reviews/load-reviews.js';
import { isModelFolder, modelFolderOf, notebookModel, openRun, RunFolder } from '../runs/run-folder.js';
import { percent, size } from '../figures/format.js';
import { readModelConfig } from '../model/config.js';
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

function describeExport(folder: string, report: ExportReport | RegressionExportReport, isRun: boolean): string {
  const { opset, maxLength, reviews, temperature } = report;
  const isRegression = 'meanAbsoluteError' in report;
  const reference = isRegression
    ? `TensorFlow's mean absolute error in float32 is ${report.meanAbsoluteError.toFixed(3)}`
    : `TensorFlow's accuracy in float32 is ${percent(report.accuracy)}`;
  const line = (precision: 'float32' | 'int8') => {
    const { file, bytes, difference } = report.files[precision];
    const result = isRegression
      ? `mean absolute error ${report.files[precision].meanAbsoluteError.toFixed(3)}`
      : `accuracy ${percent(report.files[precision].accuracy)}, same prediction as TensorFlow for ${percent(report.files[precision].agreement)}`;
    return `${precision.padEnd(9)}${folder}/${file} (${size(bytes)}): ${result}, maximum logit difference ${difference.toPrecision(2)}`;
  };
  return [
    `Checked with onnxruntime on ${reviews} ${isRun ? "of the run's test reviews" : "embedded reviews, which may include the model's training reviews"} (opset ${opset}); ${reference}.`,
    line('float32'),
    line('int8'),
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
  const problemType = readModelConfig(folder).problem_type;
  const reviews = run
    ? (await loadReviews(run.settings!.sources.dataset, run.settings!.settings)).test
    : await sampleReviews(await embeddedReviews({ problemType }), { rows: maxReviews });
  const options = { version, calibrated };
  const some = reviews.slice(0, maxReviews);
  const report = await (problemType === 'regression'
    ? exportRegression(folder, some, options)
    : exportModel(folder, some, options));
  console.log(
    json ? JSON.stringify({ folder, ...report }, null, 2) : describeExport(folder, report, run !== undefined),
  );
}
