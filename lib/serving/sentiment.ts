/**
 * Scoring without TensorFlow: `predictSentiment`, the function of the original project, on an exported model. The HTTP
 * server and file scoring both use it.
 */
import type { ProblemType } from '../settings/problem-type.js';
import { labelNames, maxTokens, readModelConfig } from '../model/config.js';
import { readPreprocessing, type Preprocessing } from '../model/preprocessing.js';
import { predictions } from '../evaluation/metrics.js';
import { probabilitiesOf, type ModelCalibration } from '../model/calibration.js';
import { requireCalibration } from '../model/calibration-file.js';
import type { Prediction } from '../model/text-classifier.js';
import { openOnnxEngine, type OnnxEngineOptions } from '../export/onnx-engine.js';
import { createTokenizer, readTokenizer } from '../tokenizer/tokenizer.js';

export type { OnnxEngineOptions } from '../export/onnx-engine.js';
export type { ModelCalibration } from '../model/calibration.js';
export type { Preprocessing } from '../model/preprocessing.js';
export type { Prediction } from '../model/text-classifier.js';

/** An exported model, ready for predictions. */
export interface SentimentModel {
  /** Folder from which the model was opened. */
  folder: string;
  /** Class names by class number; a single name if the model predicts a number. */
  labels: string[];
  /** What the model predicts: a class, or a number. */
  problemType: ProblemType;
  /** Maximum sequence length in tokens: that of training, if it is stored with the model, or else what the model accepts. */
  maxLength: number;
  /** Columns, classes and maximum length of training; undefined if they are not stored with the model. */
  preprocessing: Preprocessing | undefined;
  /** Temperature and threshold of all predictions; undefined if the model was opened without `calibrated`. */
  calibration: ModelCalibration | undefined;
  /** Predicts the class of one sentence, or the number as the score, truncated to `maxLength` tokens. */
  predictSentiment(sentence: string): Promise<Prediction>;
  /** Predicts the class or number of each sentence, in order. An empty list gives an empty list. */
  predictSentiment(sentences: string[]): Promise<Prediction[]>;
  /** Computes the probabilities of all classes, by class number, or the number alone, for each sentence or for its token ids of `encode`. */
  predictProbabilities(sentences: (string | Int32Array)[]): Promise<number[][]>;
  /** Token ids of a sentence, truncated to `maxLength` tokens. */
  encode(sentence: string): Int32Array;
  /** Maximum number of tokens of a batch, padding included. */
  maxBatchTokens: number;
  /** Whether a sentence has more than `maxLength` tokens, so that predictions ignore its end. */
  isTruncated(sentence: string): boolean;
  /** Frees the memory of the model, which cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** Options of `openSentimentModel`. */
export interface SentimentModelOptions extends OnnxEngineOptions {
  /** Whether predictions apply the temperature and the threshold that are stored with the model. @default false */
  calibrated?: boolean;
}

/**
 * Opens an exported model in onnxruntime; TensorFlow is not loaded.
 * @param folder of an exported model (npx tunebook export)
 * @param options see SentimentModelOptions
 * @throws ModelFormatError if the model was not exported or has no tokenizer, if tunebook.json or calibration.json is damaged, or if
 *   calibrated predictions are requested of a model without calibration
 */
export async function openSentimentModel(
  folder: string,
  { calibrated = false, ...options }: SentimentModelOptions = {},
): Promise<SentimentModel> {
  const tokenizer = createTokenizer(readTokenizer(folder));
  const preprocessing = readPreprocessing(folder);
  const modelConfig = readModelConfig(folder);
  const labels = labelNames(modelConfig);
  const calibration = calibrated ? requireCalibration(folder, labels.length) : undefined;
  const engine = await openOnnxEngine(folder, options);
  const maxLength = Math.min(preprocessing?.maxLength ?? Infinity, maxTokens(engine.config));
  const encode = (sentence: string) => tokenizer.encode(sentence, maxLength);
  const logitsOf = (sentences: (string | Int32Array)[]) =>
    engine.logits(sentences.map((sentence) => (typeof sentence === 'string' ? encode(sentence) : sentence)));
  async function predictSentiment(sentence: string): Promise<Prediction>;
  async function predictSentiment(sentences: string[]): Promise<Prediction[]>;
  async function predictSentiment(sentence: string | string[]): Promise<Prediction | Prediction[]> {
    const logits = await logitsOf([sentence].flat());
    const results = predictions(logits, labels.length, calibration).map(({ label, score }) => ({
      label: labels[label]!,
      score,
    }));
    return Array.isArray(sentence) ? results : results[0]!;
  }
  return {
    folder,
    labels,
    problemType: modelConfig.problem_type,
    maxLength,
    preprocessing,
    calibration,
    predictSentiment,
    async predictProbabilities(sentences) {
      const logits = await logitsOf(sentences);
      return sentences.map((_, row) =>
        probabilitiesOf(logits.subarray(row * labels.length, (row + 1) * labels.length), calibration),
      );
    },
    encode,
    maxBatchTokens: engine.maxBatchTokens,
    isTruncated: (sentence) => tokenizer.encode(sentence, maxLength + 1).length > maxLength,
    dispose: () => engine.dispose(),
  };
}
