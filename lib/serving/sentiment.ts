/**
 * Scoring without TensorFlow: `predictSentiment`, the function of the original project, on an exported model. The HTTP
 * server and file scoring both use it.
 */
import { labelNames, maxTokens } from '../model/config.js';
import { loadTokenizer } from '../model/load-tokenizer.js';
import { predictions } from '../evaluation/metrics.js';
import { softmax } from '../model/softmax.js';
import type { Prediction } from '../model/text-classifier.js';
import { openOnnxEngine, type OnnxEngineOptions } from '../export/onnx-engine.js';

export type { OnnxEngineOptions } from '../export/onnx-engine.js';
export type { Prediction } from '../model/text-classifier.js';

/** An exported model, ready for predictions. */
export interface SentimentModel {
  /** Class names by class number. */
  labels: string[];
  /** Predicts the class of one sentence, truncated to the maximum length of the model. */
  predictSentiment(sentence: string): Promise<Prediction>;
  /** Predicts the class of each sentence, in order. An empty list gives an empty list. */
  predictSentiment(sentences: string[]): Promise<Prediction[]>;
  /** Computes the probabilities of all classes, by class number, for each sentence. */
  predictProbabilities(sentences: string[]): Promise<number[][]>;
  /** Frees the memory of the model, which cannot be used afterwards. */
  dispose(): Promise<void>;
}

/**
 * Opens an exported model in onnxruntime; TensorFlow is not loaded.
 * @param folder of an exported model (tunebook export)
 * @throws ModelFormatError if the model was not exported or has no tokenizer
 */
export async function openSentimentModel(folder: string, options: OnnxEngineOptions = {}): Promise<SentimentModel> {
  const tokenizer = loadTokenizer(folder);
  const engine = await openOnnxEngine(folder, options);
  const labels = labelNames(engine.config);
  const maxLength = maxTokens(engine.config);
  const logitsOf = (sentences: string[]) => engine.logits(sentences.map((text) => tokenizer.encode(text, maxLength)));
  async function predictSentiment(sentence: string): Promise<Prediction>;
  async function predictSentiment(sentences: string[]): Promise<Prediction[]>;
  async function predictSentiment(sentence: string | string[]): Promise<Prediction | Prediction[]> {
    const logits = await logitsOf([sentence].flat());
    const results = predictions(logits, labels.length).map(({ label, score }) => ({ label: labels[label]!, score }));
    return Array.isArray(sentence) ? results : results[0]!;
  }
  return {
    labels,
    predictSentiment,
    async predictProbabilities(sentences) {
      const logits = await logitsOf(sentences);
      return sentences.map((_, row) => softmax(logits.subarray(row * labels.length, (row + 1) * labels.length)));
    },
    dispose: () => engine.dispose(),
  };
}
