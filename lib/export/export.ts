/**
 * Exports a fine-tuned model for transformers.js and onnxruntime: writes ONNX files in float32 and 8 bits into the
 * Hugging Face folder, after comparing their logits with those of TensorFlow on real reviews.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ExportError, ModelFormatError } from '../errors.js';
import { requireCalibration } from '../model/calibration-file.js';
import { TextClassifier } from '../model/text-classifier.js';
import { parameterValues } from '../model/model.js';
import type { Review } from '../reviews/review.js';
import { onnxFiles, openOnnxEngine } from './onnx-engine.js';
import { writeTokenizer } from '../tokenizer/tokenizer.js';
import { evaluate } from '../evaluation/evaluate.js';
import { classificationMetrics, predictions } from '../evaluation/metrics.js';
import { classifierGraph } from './onnx-classifier.js';
import type { OnnxPrecision } from './onnx-operations.js';
import { opsetVersion } from './onnx-schema.js';

/** Content of onnx/export.json: the exported files, and how they compare with TensorFlow. */
export interface ExportReport {
  opset: number;
  /** Maximum sequence length of scoring, in tokens: that of training, if it is stored with the model. */
  maxLength: number;
  /** Number of reviews used for the comparison. */
  reviews: number;
  /** Accuracy of TensorFlow in float32. */
  accuracy: number;
  /** The temperature by which the graphs divide their logits; undefined for uncalibrated graphs. */
  temperature?: number;
  files: Record<
    OnnxPrecision,
    {
      file: string;
      bytes: number;
      /** Maximum absolute difference between its logits and those of TensorFlow. */
      difference: number;
      accuracy: number;
      /** Fraction of predictions that equal those of TensorFlow. */
      agreement: number;
    }
  >;
}

/** Maximum absolute difference allowed between the float32 logits and those of TensorFlow. */
const tolerance = 1e-4;

/**
 * Writes onnx/model.onnx and onnx/model_quantized.onnx into a model's folder, and onnx/export.json.
 * @param folder of a classifier
 * @param reviews used for the comparison; their labels are class numbers of the model
 * @param options metadata
 * @param options.version of Tunebook, stored in the ONNX files
 * @param options.calibrated divides the logits by the temperature of calibration.json, so that the softmax of any program gives
 *   calibrated probabilities. The threshold is not part of the graph: a shift of the logits would change the probabilities. @default false
 * @throws ModelFormatError if the model is not a classifier or has no calibration, ExportError if the logits differ; no files remain then
 * @example
 * const { files } = await exportModel('runs/mine/model', reviews.test, { version: '1' });
 */
export async function exportModel(
  folder: string,
  reviews: Review[],
  { version, calibrated = false }: { version: string; calibrated?: boolean },
): Promise<ExportReport> {
  const model = TextClassifier.fromFolder(folder, { precision: 'float32' });
  const partialFolder = path.join(folder, '.onnx.partial');
  try {
    if (model.freshHead)
      throw new ModelFormatError(
        'MODEL_NOT_CLASSIFIER',
        `${folder} is not a fine-tuned classifier: it has no classification head. Fine-tune it first: npx tunebook finetune --model ${folder}`,
        { folder },
      );
    const temperature = calibrated ? requireCalibration(folder, model.labels.length).temperature : undefined;
    const { config } = model;
    const classNames = model.labels;
    const texts = model.encode(reviews, model.maxLength);
    const { metrics, logits } = await evaluate(model, texts);
    const expected = predictions(logits, classNames.length);
    fs.rmSync(partialFolder, { recursive: true, force: true });
    fs.mkdirSync(path.join(partialFolder, 'onnx'), { recursive: true });
    fs.copyFileSync(path.join(folder, 'config.json'), path.join(partialFolder, 'config.json'));
    const parameters = parameterValues(model);
    const files = {} as ExportReport['files'];
    for (const precision of Object.keys(onnxFiles) as OnnxPrecision[]) {
      const file = onnxFiles[precision];
      classifierGraph(config, parameters, { precision, temperature }).save(path.join(partialFolder, file), {
        name: 'sequence_classification',
        version,
        description: `Text classifier: ${classNames.join(', ')}. Precision ${precision}, opset ${opsetVersion}.`,
      });
      const engine = await openOnnxEngine(partialFolder, { precision });
      const onnxLogits = await engine.logits(texts.ids, texts.pairStarts);
      await engine.dispose();
      const difference = onnxLogits.reduce((max, logit, i) => Math.max(max, Math.abs(logit - logits[i]!)), 0);
      if (precision === 'float32' && !(difference < tolerance))
        throw new ExportError(
          'EXPORT_MISMATCH',
          `The exported graph's logits differ from TensorFlow's by ${difference.toPrecision(2)}, more than the tolerance of ${tolerance}, on ${texts.ids.length} reviews. This is a bug in the export: please report it with config.json.`,
          { difference, tolerance },
        );
      const predicted = predictions(onnxLogits, classNames.length);
      files[precision] = {
        file,
        bytes: fs.statSync(path.join(partialFolder, file)).size,
        difference,
        accuracy: classificationMetrics(onnxLogits, texts.labels, classNames).accuracy,
        agreement: predicted.filter(({ label }, i) => label === expected[i]!.label).length / predicted.length,
      };
    }
    const report: ExportReport = {
      opset: opsetVersion,
      maxLength: model.maxLength,
      reviews: texts.ids.length,
      accuracy: metrics.accuracy,
      ...(temperature !== undefined && { temperature }),
      files,
    };
    fs.writeFileSync(path.join(partialFolder, 'onnx/export.json'), `${JSON.stringify(report, null, 2)}\n`);
    fs.rmSync(path.join(folder, 'onnx'), { recursive: true, force: true });
    fs.renameSync(path.join(partialFolder, 'onnx'), path.join(folder, 'onnx'));
    writeTokenizer(model.tokenizerFiles, folder, model.maxTokens);
    return report;
  } finally {
    fs.rmSync(partialFolder, { recursive: true, force: true });
    model.dispose();
  }
}
