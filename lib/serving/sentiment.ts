/**
 * Scoring without TensorFlow: `predictSentiment`, the function of the original project, on an exported model. The HTTP
 * server and file scoring both use it.
 */
import { labelNames, maxTokens } from '../model/config.js';
import { readPreprocessing, type Preprocessing } from '../model/preprocessing.js';
import { predictions } from '../evaluation/metrics.js';
import { softmax } from '../model/softmax.js';
import type { Prediction } from '../model/text-classifier.js';
import { openOnnxEngine, type OnnxEngineOptions } from '../export/onnx-engine.js';
import { createTokenizer, readTokenizer } from '../tokenizer/tokenizer.js';

export type { OnnxEngineOptions } from '../export/onnx-engine.js';
export type { Preprocessing } from '../model/preprocessing.js';
export type { Prediction } from '../model/text-classifier.js';

/** An exported model, ready for predictions. */
export interface SentimentModel {
  /** Folder from which the model was opened. */
  folder: string;
  /** Class names by class number. */
  labels: string[];
  /** Maximum sequence length in tokens: that of training, if it is stored with the model, or else what the model accepts. */
  maxLength: number;
  /** Columns, classes and maximum length of training; undefined if they are not stored with the model. */
  preprocessing: Preprocessing | undefined;
  /** Predicts the class of one sentence, truncated to `maxLength` tokens. */
  predictSentiment(sentence: string): Promise<Prediction>;
  /** Predicts the class of each sentence, in order. An empty list gives an empty list. */
  predictSentiment(sentences: string[]): Promise<Prediction[]>;
  /** Computes the probabilities of all classes, by class number, for each sentence or for its token ids of `encode`. */
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

/**
 * Opens an exported model in onnxruntime; TensorFlow is not loaded.
 * @param folder of an exported model (npx tunebook export)
 * @throws ModelFormatError if the model was not exported or has no tokenizer, or if tunebook.json is damaged
 */
export async function openSentimentModel(folder: string, options: OnnxEngineOptions = {}): Promise<SentimentModel> {
  const tokenizer = createTokenizer(readTokenizer(folder));
  const preprocessing = readPreprocessing(folder);
  const engine = await openOnnxEngine(folder, options);
  const labels = labelNames(engine.config);
  const maxLength = Math.min(preprocessing?.maxLength ?? Infinity, maxTokens(engine.config));
  const encode = (sentence: string) => tokenizer.encode(sentence, maxLength);
  const logitsOf = (sentences: (string | Int32Array)[]) =>
    engine.logits(sentences.map((sentence) => (typeof sentence === 'string' ? encode(sentence) : sentence)));
  async function predictSentiment(sentence: string): Promise<Prediction>;
  async function predictSentiment(sentences: string[]): Promise<Prediction[]>;
  async function predictSentiment(sentence: string | string[]): Promise<Prediction | Prediction[]> {
    const logits = await logitsOf([sentence].flat());
    const results = predictions(logits, labels.length).map(({ label, score }) => ({ label: labels[label]!, score }));
    return Array.isArray(sentence) ? results : results[0]!;
  }
  return {
    folder,
    labels,
    maxLength,
    preprocessing,
    predictSentiment,
    async predictProbabilities(sentences) {
      const logits = await logitsOf(sentences);
      return sentences.map((_, row) => softmax(logits.subarray(row * labels.length, (row + 1) * labels.length)));
    },
    encode,
    maxBatchTokens: engine.maxBatchTokens,
    isTruncated: (sentence) => tokenizer.encode(sentence, maxLength + 1).length > maxLength,
    dispose: () => engine.dispose(),
  };
}
