/**
 * A fine-tuned model for everywhere that transformers.js and onnxruntime run: ONNX in float32 and in 8 bits beside the Hugging
 * Face folder, checked against TensorFlow on real reviews before it counts.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ExportError, ModelFormatError } from '../errors.js';
import { TextClassifier } from '../model/text-classifier.js';
import { parameterValues } from '../model/model.js';
import type { Review } from '../reviews/review.js';
import { onnxFiles, openOnnxEngine } from './onnx-engine.js';
import { writeTokenizer } from '../tokenizer/tokenizer.js';
import { evaluate } from '../evaluation/evaluate.js';
import { classificationMetrics, verdicts } from '../evaluation/metrics.js';
import { classifierGraph, type OnnxPrecision } from './onnx-classifier.js';
import { opsetVersion } from './onnx-schema.js';

/** onnx/export.json: what was written, and how it was checked. */
export interface ExportReport {
  opset: number;
  /** Reviews that it was checked on. */
  reviews: number;
  /** Accuracy by TensorFlow in float32. */
  accuracy: number;
  files: Record<
    OnnxPrecision,
    {
      file: string;
      bytes: number;
      /** The largest difference of a logit from TensorFlow's. */
      difference: number;
      accuracy: number;
      /** Verdicts that are TensorFlow's, a share. */
      agreement: number;
    }
  >;
}

/** The float32 logits must be TensorFlow's, to this. */
const tolerance = 1e-4;

/**
 * Writes onnx/model.onnx and onnx/model_quantized.onnx into a model's folder, and onnx/export.json.
 * @param folder of a classifier
 * @param reviews to check it on; their labels are class numbers of the model
 * @param options how it was trained
 * @param options.version of Tunebook, for the file
 * @param options.maxLength tokens after which a text is cut. @default what the model takes
 * @throws ModelFormatError for a model that is no classifier, ExportError when a graph computes something else; nothing is left behind then
 */
export async function exportModel(
  folder: string,
  reviews: Review[],
  { version, maxLength }: { version: string; maxLength?: number },
): Promise<ExportReport> {
  const model = TextClassifier.fromFolder(folder, { precision: 'float32' });
  const aside = path.join(folder, '.onnx.partial');
  try {
    if (model.freshHead)
      throw new ModelFormatError(
        'MODEL_NOT_CLASSIFIER',
        `${folder} is no fine-tuned classifier: it has no head that tells classes apart. Fine-tune it first: tunebook finetune --model ${folder}`,
        { folder },
      );
    const { config } = model;
    const names = model.labels;
    const texts = model.encode(reviews, maxLength ?? model.maxTokens);
    const { metrics, logits } = await evaluate(model, texts);
    const expected = verdicts(logits, names.length);
    fs.rmSync(aside, { recursive: true, force: true });
    fs.mkdirSync(path.join(aside, 'onnx'), { recursive: true });
    fs.copyFileSync(path.join(folder, 'config.json'), path.join(aside, 'config.json'));
    const parameters = parameterValues(model);
    const files = {} as ExportReport['files'];
    for (const precision of Object.keys(onnxFiles) as OnnxPrecision[]) {
      const file = onnxFiles[precision];
      classifierGraph(config, parameters, precision).save(path.join(aside, file), {
        ...{ name: 'sequence_classification', version },
        description: `A classifier of texts: ${names.join(', ')}. ${precision}, operators of version ${opsetVersion}.`,
      });
      const engine = await openOnnxEngine(aside, { precision });
      const found = await engine.logits(texts.ids);
      await engine.dispose();
      const difference = found.reduce((most, logit, i) => Math.max(most, Math.abs(logit - logits[i]!)), 0);
      if (precision === 'float32' && !(difference < tolerance))
        throw new ExportError(
          'EXPORT_MISMATCH',
          `The exported graph's logits differ from TensorFlow's by ${difference.toPrecision(2)}, more than ${tolerance}, on ${texts.ids.length} reviews. This is a mistake of the export: please report it with config.json.`,
          { difference, tolerance },
        );
      const said = verdicts(found, names.length);
      files[precision] = {
        file,
        bytes: fs.statSync(path.join(aside, file)).size,
        difference,
        accuracy: classificationMetrics(found, texts.labels, names.length).accuracy,
        agreement: said.filter(({ label }, i) => label === expected[i]!.label).length / said.length,
      };
    }
    const report: ExportReport = {
      opset: opsetVersion,
      reviews: texts.ids.length,
      accuracy: metrics.accuracy,
      files,
    };
    fs.writeFileSync(path.join(aside, 'onnx/export.json'), `${JSON.stringify(report, null, 2)}\n`);
    fs.rmSync(path.join(folder, 'onnx'), { recursive: true, force: true });
    fs.renameSync(path.join(aside, 'onnx'), path.join(folder, 'onnx'));
    writeTokenizer(model.tokenizerFiles, folder, model.maxTokens);
    return report;
  } finally {
    fs.rmSync(aside, { recursive: true, force: true });
    model.dispose();
  }
}
