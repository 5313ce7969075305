/**
 * Scoring without TensorFlow: `predictSentiment`, the function of the original project, on an exported model. The HTTP
 * server and file scoring both use it.
 */
import { RequestError } from '../errors.js';
import type { ProblemType } from '../settings/problem-type.js';
import { labelNames, maxTokens, readModelConfig } from '../model/config.js';
import { readPreprocessing, type Preprocessing } from '../model/preprocessing.js';
import { probabilitiesOf, type ModelCalibration } from '../model/calibration.js';
import { requireCalibration } from '../model/calibration-file.js';
import { predictionOf, type Prediction } from '../model/prediction.js';
import { openOnnxEngine, type OnnxEngineOptions } from '../export/onnx-engine.js';
import {
  createTokenizer,
  encodeInput,
  readTokenizer,
  type EncodedPair,
  type TextInput,
} from '../tokenizer/tokenizer.js';

export type { OnnxEngineOptions } from '../export/onnx-engine.js';
export type { ModelCalibration } from '../model/calibration.js';
export type { Preprocessing } from '../model/preprocessing.js';
export type { Prediction } from '../model/prediction.js';
export type { EncodedPair, TextInput } from '../tokenizer/tokenizer.js';

/** An exported model, ready for predictions. */
export interface SentimentModel {
  /** Folder from which the model was opened. */
  folder: string;
  /** Class names by class number; a single name if the model predicts a number. */
  labels: string[];
  /** What the model predicts: a class, those that apply, or a number. */
  problemType: ProblemType;
  /** Maximum sequence length in tokens: that of training, if it is stored with the model, or else what the model accepts. */
  maxLength: number;
  /** Columns, classes and maximum length of training; undefined if they are not stored with the model. */
  preprocessing: Preprocessing | undefined;
  /** Temperature and threshold of all predictions; undefined if the model was opened without `calibrated`. */
  calibration: ModelCalibration | undefined;
  /** Whether the model was trained on pairs of texts; undefined if that is not stored with it. */
  takesPairs: boolean | undefined;
  /**
   * Predicts the class of one sentence or pair, all that apply as `labels` (without any the label is null), or its number as the score, truncated to `maxLength` tokens.
   * @throws RequestError for a single text if the model was trained on pairs, and for a pair if it was not
   */
  predictSentiment(sentence: TextInput): Promise<Prediction>;
  /** Predicts the class or number of each sentence or pair, in order. An empty list gives an empty list. */
  predictSentiment(sentences: TextInput[]): Promise<Prediction[]>;
  /** Computes the probabilities of all classes, by class number, or the number alone, for each sentence, pair or result of `encode`. */
  predictProbabilities(sentences: (TextInput | EncodedPair)[]): Promise<number[][]>;
  /** Token ids of a sentence or pair, truncated to `maxLength` tokens; throws as predictSentiment does. */
  encode(sentence: TextInput): EncodedPair;
  /** Maximum number of tokens of a batch, padding included. */
  maxBatchTokens: number;
  /** Whether a sentence or pair has more than `maxLength` tokens, so that predictions ignore the end of a text. */
  isTruncated(sentence: TextInput): boolean;
  /** Frees the memory of the model, which cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** Options of `openSentimentModel`. */
export interface SentimentModelOptions extends OnnxEngineOptions {
  /** Whether predictions apply the temperature and the threshold that are stored with the model. @default false */
  calibrated?: boolean;
}

/** @throws RequestError for a single text if a model was trained on pairs, and for a pair if it was trained on single texts */
function checkPair(sentence: TextInput, takesPairs: boolean | undefined): void {
  const isPair = typeof sentence === 'object' && sentence.pair !== undefined;
  if (takesPairs === undefined || isPair === takesPairs) return;
  throw new RequestError(
    'REQUEST_PAIR',
    takesPairs
      ? 'The model was trained on pairs of texts, but a text has no second text. Give both.'
      : 'The model was trained on single texts, but a second text was given. Give one text, or join them.',
    { takesPairs },
  );
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
  const { problem_type: problemType } = modelConfig;
  const calibration = calibrated ? requireCalibration(folder, modelConfig) : undefined;
  const engine = await openOnnxEngine(folder, options);
  const maxLength = Math.min(preprocessing?.maxLength ?? Infinity, maxTokens(engine.config));
  const { reading } = preprocessing ?? {};
  const takesPairs = reading && reading.textPairColumn !== undefined;
  const encode = (sentence: TextInput) => {
    checkPair(sentence, takesPairs);
    return encodeInput(tokenizer, sentence, maxLength);
  };
  const logitsOf = (sentences: (TextInput | EncodedPair)[]) => {
    const encoded = sentences.map((sentence) =>
      typeof sentence === 'object' && 'ids' in sentence ? sentence : encode(sentence),
    );
    return engine.logits(
      encoded.map(({ ids }) => ids),
      encoded.map(({ pairStart }) => pairStart),
    );
  };
  const predictProbabilities = async (sentences: (TextInput | EncodedPair)[]) => {
    const logits = await logitsOf(sentences);
    return sentences.map((_, row) =>
      probabilitiesOf(logits.subarray(row * labels.length, (row + 1) * labels.length), problemType, calibration),
    );
  };
  async function predictSentiment(sentence: TextInput): Promise<Prediction>;
  async function predictSentiment(sentences: TextInput[]): Promise<Prediction[]>;
  async function predictSentiment(sentence: TextInput | TextInput[]): Promise<Prediction | Prediction[]> {
    const probabilities = await predictProbabilities([sentence].flat());
    const results = probabilities.map((row) => predictionOf(row, { labels, problemType, calibration }));
    return Array.isArray(sentence) ? results : results[0]!;
  }
  return {
    folder,
    labels,
    problemType,
    maxLength,
    preprocessing,
    calibration,
    takesPairs,
    predictSentiment,
    predictProbabilities,
    encode,
    maxBatchTokens: engine.maxBatchTokens,
    isTruncated: (sentence) => encodeInput(tokenizer, sentence, maxLength + 1).ids.length > maxLength,
    dispose: () => engine.dispose(),
  };
}
