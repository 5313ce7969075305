/** `tunebook export RUN`: a run's model as ONNX, checked on the reviews that the run was tested by. */
import { exportModel, type ExportReport } from '../export/export.js';
import { loadReviews } from '../reviews/load-reviews.js';
import { isModelFolder, modelOf, openRun } from '../runs/run-folder.js';
import { percent, size } from '../figures/format.js';
import { embeddedReviews } from '../reviews/embedded.js';
import { sampleReviews } from '../reviews/sample.js';
import { version } from '../version.js';

/** More reviews than are worth waiting for. */
const mostReviews = 1000;

function describeExport(folder: string, { opset, reviews, accuracy, files }: ExportReport): string {
  const line = (what: string, { file, bytes, difference, accuracy: own, agreement }: ExportReport['files']['int8']) =>
    `${what.padEnd(9)}${folder}/${file} (${size(bytes)}): accuracy ${percent(own)}, the same verdict for ${percent(agreement)}, logits differ by ${difference.toPrecision(2)} at most`;
  return [
    `Checked by onnxruntime on ${reviews} reviews, operators of version ${opset}; TensorFlow's accuracy is ${percent(accuracy)}.`,
    line('float32', files.float32),
    line('int8', files.int8),
  ].join('\n');
}

/**
 * @param name a run, or a model's folder, which is checked on the embedded reviews
 * @throws RunError for a run without a model, ModelFormatError, ExportError
 */
export async function exportRun(name: string, { json }: { json?: boolean }): Promise<void> {
  const run = isModelFolder(name) ? undefined : openRun(name);
  const folder = run ? modelOf(run) : name;
  const reviews = run
    ? (await loadReviews(run.settings!.sources.dataset, run.settings!.settings)).test
    : await sampleReviews(embeddedReviews(), { rows: mostReviews });
  const report = await exportModel(folder, reviews.slice(0, mostReviews), {
    version,
    ...(run && { maxLength: run.settings!.settings.maxLength }),
  });
  console.log(json ? JSON.stringify({ folder, ...report }, null, 2) : describeExport(folder, report));
}
