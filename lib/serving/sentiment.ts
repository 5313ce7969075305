/**
 * Scoring without TensorFlow: `predictSentiment`, the original project's function, on an exported model. What serves, over
 * HTTP or in a file, goes through here.
 */
import { labelNames, maxTokens } from '../model/config.js';
import { loadTokenizer } from '../model/load-tokenizer.js';
import { verdicts } from '../evaluation/metrics.js';
import { softmax } from '../model/softmax.js';
import { openOnnxEngine, type OnnxEngineOptions } from '../export/onnx-engine.js';

export type { OnnxEngineOptions } from '../export/onnx-engine.js';

/** In the shape that transformers.js's pipeline gives it. */
export interface Verdict {
  /** The likeliest class's name. */
  label: string;
  /** The label's probability. */
  score: number;
}

/** An exported model, ready to be asked. */
export interface SentimentModel {
  /** Class names in order of their numbers. */
  labels: string[];
  /** The likeliest class of one sentence; one that is too long for the model is cut. */
  predictSentiment(sentence: string): Promise<Verdict>;
  /** The likeliest class of each sentence, in their order; of none, none. */
  predictSentiment(sentences: string[]): Promise<Verdict[]>;
  /** Probabilities of all classes, in order of their numbers, for each sentence. */
  predictProbabilities(sentences: string[]): Promise<number[][]>;
  /** Frees the model's memory; nothing can be asked afterwards. */
  dispose(): Promise<void>;
}

/**
 * Opens an exported model in onnxruntime; TensorFlow is not loaded.
 * @param folder of an exported model (tunebook export)
 * @throws ModelFormatError when it was not exported, or lacks its tokenizer
 */
export async function openSentimentModel(folder: string, options: OnnxEngineOptions = {}): Promise<SentimentModel> {
  const tokenizer = loadTokenizer(folder);
  const engine = await openOnnxEngine(folder, options);
  const labels = labelNames(engine.config);
  const longest = maxTokens(engine.config);
  const logitsOf = (sentences: string[]) => engine.logits(sentences.map((text) => tokenizer.encode(text, longest)));
  async function predictSentiment(sentence: string): Promise<Verdict>;
  async function predictSentiment(sentences: string[]): Promise<Verdict[]>;
  async function predictSentiment(sentence: string | string[]): Promise<Verdict | Verdict[]> {
    const logits = await logitsOf([sentence].flat());
    const found = verdicts(logits, labels.length).map(({ label, score }) => ({ label: labels[label]!, score }));
    return Array.isArray(sentence) ? found : found[0]!;
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
