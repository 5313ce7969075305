/** `tunebook export RUN`: writes a run's model as ONNX and checks it on the run's test reviews. */
import path from 'node:path';
import {
  exportModel,
  exportMultiLabel,
  exportRegression,
  type ExportReport,
  type MultiLabelExportReport,
  type RegressionExportReport,
} from '../export/export.js';
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

/** What exports a model of each problem type. */
const exporters = {
  single_label_classification: exportModel,
  multi_label_classification: exportMultiLabel,
  regression: exportRegression,
};

/** Maximum number of reviews on which the exported model is checked. */
const maxReviews = 1000;

/** The run that a folder is, or whose model it is; undefined for any other model folder. */
function runOf(name: string): RunFolder | undefined {
  if (notebookModel(name)) return undefined;
  if (!isModelFolder(name)) return openRun(name);
  const parent = new RunFolder(path.dirname(path.resolve(name)));
  return parent.isRun && path.basename(name) === 'model' ? parent : undefined;
}

type AnyReport = ExportReport | MultiLabelExportReport | RegressionExportReport;

/** The metric of TensorFlow or of an exported graph. */
const scoreOf = (
  result: { accuracy: number } | { microF1: number } | { meanAbsoluteError: number },
): [name: string, value: string] =>
  'accuracy' in result
    ? ['accuracy', percent(result.accuracy)]
    : 'microF1' in result
      ? ['micro F1', result.microF1.toFixed(3)]
      : ['mean absolute error', result.meanAbsoluteError.toFixed(3)];

function describeExport(folder: string, report: AnyReport, isRun: boolean): string {
  const { opset, maxLength, reviews, temperature } = report;
  const [name, value] = scoreOf(report);
  const line = (precision: 'float32' | 'int8') => {
    const result = report.files[precision];
    const agreement = 'agreement' in result ? `, same prediction as TensorFlow for ${percent(result.agreement)}` : '';
    return `${precision.padEnd(9)}${folder}/${result.file} (${size(result.bytes)}): ${scoreOf(result).join(' ')}${agreement}, maximum logit difference ${result.difference.toPrecision(2)}`;
  };
  return [
    `Checked with onnxruntime on ${reviews} ${isRun ? "of the run's test reviews" : "embedded reviews, which may include the model's training reviews"} (opset ${opset}); TensorFlow's ${name} in float32 is ${value}.`,
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
  const report = await exporters[problemType](folder, some, options);
  console.log(
    json ? JSON.stringify({ folder, ...report }, null, 2) : describeExport(folder, report, run !== undefined),
  );
}
