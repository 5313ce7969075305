/**
 * Exports a fine-tuned model for transformers.js and onnxruntime: writes ONNX files in float32 and 8 bits into the
 * Hugging Face folder, after comparing their logits with those of TensorFlow on real reviews.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ArgumentError, ExportError, ModelFormatError } from '../errors.js';
import { requireCalibration } from '../model/calibration-file.js';
import { TextClassifier } from '../model/text-classifier.js';
import type { Labels } from '../model/batch.js';
import type { ProblemType } from '../settings/problem-type.js';
import { parameterValues } from '../model/model.js';
import type { Review } from '../reviews/review.js';
import { onnxFiles, openOnnxEngine } from './onnx-engine.js';
import { writeTokenizer } from '../tokenizer/tokenizer.js';
import { computeLogits } from '../evaluation/evaluate.js';
import { regressionMetrics } from '../evaluation/regression-metrics.js';
import { classificationMetrics, predictions } from '../evaluation/metrics.js';
import { multiLabelMetrics, predictedSets } from '../evaluation/multi-label-metrics.js';
import { classifierGraph } from './onnx-classifier.js';
import type { OnnxPrecision } from './onnx-operations.js';
import { opsetVersion } from './onnx-schema.js';

/** The exported files, and how they compare with TensorFlow. */
export interface ExportedGraphs<Result> {
  opset: number;
  /** Maximum sequence length of scoring, in tokens: that of training, if it is stored with the model. */
  maxLength: number;
  /** Number of reviews used for the comparison. */
  reviews: number;
  /** The temperature by which the graphs divide their logits; undefined for uncalibrated graphs. */
  temperature?: number;
  files: Record<
    OnnxPrecision,
    {
      file: string;
      bytes: number;
      /** Maximum absolute difference between its logits and those of TensorFlow. */
      difference: number;
    } & Result
  >;
}

/** Content of onnx/export.json: the exported files, and how they compare with TensorFlow. */
export type ExportReport = ExportedGraphs<{
  accuracy: number;
  /** Fraction of predictions that equal those of TensorFlow. */
  agreement: number;
}> & {
  /** Accuracy of TensorFlow in float32. */
  accuracy: number;
};

/** Content of onnx/export.json for a model that predicts a number. */
export type RegressionExportReport = ExportedGraphs<{ meanAbsoluteError: number }> & {
  /** Mean absolute error of TensorFlow in float32. */
  meanAbsoluteError: number;
};

/** Content of onnx/export.json for a model that predicts all classes that apply. */
export type MultiLabelExportReport = ExportedGraphs<{
  microF1: number;
  /** Fraction of reviews with the same classes as with TensorFlow. */
  agreement: number;
}> & {
  /** Micro F1 of TensorFlow in float32. */
  microF1: number;
};

/** Metadata and calibration of an export. */
interface ExportOptions {
  version: string;
  calibrated?: boolean;
}

/** Maximum absolute difference allowed between the float32 logits and those of TensorFlow. */
const tolerance = 1e-4;

/** How the logits of a graph are compared with those of TensorFlow, and what of it is also reported of TensorFlow itself. */
interface Comparison<Result, Reference> {
  problemType: ProblemType;
  description: string;
  comparisonOf: (expected: Float32Array, labels: Labels, names: string[]) => (logits: Float32Array) => Result;
  reference: (result: Result) => Reference;
}

/** What exports a model of each problem type. */
const exporters: Record<ProblemType, string> = {
  single_label_classification: 'exportModel',
  multi_label_classification: 'exportMultiLabel',
  regression: 'exportRegression',
};

/** @throws ArgumentError if a model predicts something else */
function checkProblemType({ problemType }: TextClassifier, expected: ProblemType): void {
  if (problemType !== expected)
    throw new ArgumentError(
      'ARGUMENT_PROBLEM_TYPE',
      `The model has the problem type ${problemType}. Export it with ${exporters[problemType]}.`,
      { problemType },
    );
}

/** Writes the graphs of a model after comparing them with TensorFlow, see exportModel. */
async function exportGraphs<Result, Reference>(
  folder: string,
  reviews: Review[],
  { version, calibrated = false }: ExportOptions,
  { problemType, description, comparisonOf, reference }: Comparison<Result, Reference>,
): Promise<ExportedGraphs<Result> & Reference> {
  const model = TextClassifier.fromFolder(folder, { precision: 'float32' });
  const partialFolder = path.join(folder, '.onnx.partial');
  try {
    if (model.freshHead)
      throw new ModelFormatError(
        'MODEL_NOT_CLASSIFIER',
        `${folder} is not a fine-tuned classifier: it has no classification head. Fine-tune it first: npx tunebook finetune --model ${folder}`,
        { folder },
      );
    checkProblemType(model, problemType);
    const temperature = calibrated ? requireCalibration(folder, model.config).temperature : undefined;
    const { config, labels } = model;
    const texts = model.encode(reviews, model.maxLength);
    const logits = await computeLogits(model, texts);
    const results = comparisonOf(logits, texts.labels, labels);
    fs.rmSync(partialFolder, { recursive: true, force: true });
    fs.mkdirSync(path.join(partialFolder, 'onnx'), { recursive: true });
    fs.copyFileSync(path.join(folder, 'config.json'), path.join(partialFolder, 'config.json'));
    const parameters = parameterValues(model);
    // Logits of classes are of the order of 1; a predicted number may be of any order.
    const largest = logits.reduce((max, logit) => Math.max(max, Math.abs(logit)), 1);
    const limit = tolerance * (model.problemType === 'regression' ? largest : 1);
    const files = {} as ExportedGraphs<Result>['files'];
    for (const precision of Object.keys(onnxFiles) as OnnxPrecision[]) {
      const file = onnxFiles[precision];
      classifierGraph(config, parameters, { precision, temperature }).save(path.join(partialFolder, file), {
        name: 'sequence_classification',
        version,
        description: `${description}: ${labels.join(', ')}. Precision ${precision}, opset ${opsetVersion}.`,
      });
      const engine = await openOnnxEngine(partialFolder, { precision });
      const onnxLogits = await engine.logits(texts.ids, texts.pairStarts);
      await engine.dispose();
      const difference = onnxLogits.reduce((max, logit, i) => Math.max(max, Math.abs(logit - logits[i]!)), 0);
      if (precision === 'float32' && !(difference < limit))
        throw new ExportError(
          'EXPORT_MISMATCH',
          `The exported graph's logits differ from TensorFlow's by ${difference.toPrecision(2)}, more than the tolerance of ${limit}, on ${texts.ids.length} reviews. This is a bug in the export: please report it with config.json.`,
          { difference, tolerance: limit },
        );
      files[precision] = {
        file,
        bytes: fs.statSync(path.join(partialFolder, file)).size,
        difference,
        ...results(onnxLogits),
      };
    }
    const report = {
      opset: opsetVersion,
      maxLength: model.maxLength,
      reviews: texts.ids.length,
      ...reference(results(logits)),
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

/**
 * Writes onnx/model.onnx and onnx/model_quantized.onnx into a model's folder, and onnx/export.json.
 * @param folder of a classifier
 * @param reviews used for the comparison; their labels are class numbers of the model
 * @param options metadata
 * @param options.version of Tunebook, stored in the ONNX files
 * @param options.calibrated divides the logits by the temperature of calibration.json, so that the softmax of any program gives
 *   calibrated probabilities. The threshold is not part of the graph: a shift of the logits would change the probabilities. @default false
 * @throws ArgumentError if the model predicts a number, see exportRegression, or several classes of a text, see exportMultiLabel
 * @throws ModelFormatError if the model is not a classifier or has no calibration, ExportError if the logits differ; no files remain then
 * @example
 * const { files } = await exportModel('runs/mine/model', reviews.test, { version: '1' });
 */
export const exportModel = (
  folder: string,
  reviews: Review[],
  options: { version: string; calibrated?: boolean },
): Promise<ExportReport> =>
  exportGraphs(folder, reviews, options, {
    problemType: 'single_label_classification',
    description: 'Text classifier',
    comparisonOf(expected, labels, names) {
      const predicted = (logits: Float32Array) => predictions(logits, names.length).map(({ label }) => label);
      const byTensorFlow = predicted(expected);
      return (logits) => ({
        accuracy: classificationMetrics(logits, labels, names).accuracy,
        agreement: predicted(logits).filter((label, i) => label === byTensorFlow[i]).length / labels.length,
      });
    },
    reference: ({ accuracy }) => ({ accuracy }),
  });

/**
 * Writes onnx/model.onnx and onnx/model_quantized.onnx into the folder of a model that predicts a number, and onnx/export.json.
 * @param folder of a regression model
 * @param reviews used for the comparison; their labels are numbers
 * @param options metadata
 * @param options.version of Tunebook, stored in the ONNX files
 * @throws ArgumentError if the model predicts classes, ModelFormatError if it has no head, ExportError if the logits differ by more than
 *   1e-4 of the largest number; no files remain then
 * @example
 * const { meanAbsoluteError } = await exportRegression('runs/mine/model', reviews.test, { version: '1' });
 */
export const exportRegression = (
  folder: string,
  reviews: Review[],
  options: { version: string },
): Promise<RegressionExportReport> =>
  exportGraphs(folder, reviews, options, {
    problemType: 'regression',
    description: 'Text regression',
    comparisonOf: (_, labels) => (logits) => ({
      meanAbsoluteError: regressionMetrics(logits, labels).meanAbsoluteError,
    }),
    reference: (result) => result,
  });

/**
 * Writes onnx/model.onnx and onnx/model_quantized.onnx into the folder of a model that predicts all classes that apply, and
 * onnx/export.json.
 * @param folder of a model of multi-label classification
 * @param reviews used for the comparison; their `labels` are class numbers of the model
 * @param options metadata
 * @param options.version of Tunebook, stored in the ONNX files
 * @throws ArgumentError if the model predicts one class or a number, ModelFormatError if it has no head, ExportError if the logits
 *   differ; no files remain then
 * @example
 * const { microF1 } = await exportMultiLabel('runs/mine/model', reviews.test, { version: '1' });
 */
export const exportMultiLabel = (
  folder: string,
  reviews: Review[],
  options: { version: string },
): Promise<MultiLabelExportReport> =>
  exportGraphs(folder, reviews, options, {
    problemType: 'multi_label_classification',
    description: 'Multi-label text classifier',
    comparisonOf(expected, labels, names) {
      const setsOf = (logits: Float32Array) => {
        const entries = predictedSets(logits);
        return reviews.map((_, row) => entries.subarray(row * names.length, (row + 1) * names.length).join());
      };
      const byTensorFlow = setsOf(expected);
      return (logits) => ({
        microF1: multiLabelMetrics(logits, labels, names).micro.f1,
        agreement: setsOf(logits).filter((set, i) => set === byTensorFlow[i]).length / reviews.length,
      });
    },
    reference: ({ microF1 }) => ({ microF1 }),
  });
