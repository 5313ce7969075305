/** The predicted class of a text, in the format of the transformers.js pipeline. */
import { predictLogits, type Classifier } from '../model/classifier.js';
import { labelNames, maxTokens } from '../model/config.js';
import { padBatch } from '../batching/batches.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { verdicts } from '../evaluation/metrics.js';

/**
 * Predicts the class of a text with a classifier on TensorFlow; openSentimentModel does it with an exported model.
 * @param tokenizer of the classifier's folder
 * @returns the class with the highest probability, and that probability
 */
export function predict(classifier: Classifier, tokenizer: Tokenizer, text: string): { label: string; score: number } {
  const names = labelNames(classifier.config);
  const encoded = {
    ids: [tokenizer.encode(text, maxTokens(classifier.config))],
    labels: new Int32Array(1),
  };
  const [prediction] = verdicts(predictLogits(classifier, padBatch(encoded, [0])), names.length);
  return { label: names[prediction!.label]!, score: prediction!.score };
}
