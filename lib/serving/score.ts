/** The verdict on a sentence, in the shape that transformers.js's pipeline gives it. */
import { predictLogits, type Classifier } from '../model/classifier.js';
import { labelNames, maxTokens } from '../model/config.js';
import { padBatch } from '../text/batches.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { verdicts } from '../training/metrics.js';

/**
 * Judges one sentence by a classifier on TensorFlow; an exported model is asked by openSentimentModel.
 * @param tokenizer of the classifier's own folder
 * @returns the likeliest class and its probability
 */
export function predictSentiment(
  classifier: Classifier,
  tokenizer: Tokenizer,
  sentence: string,
): { label: string; score: number } {
  const names = labelNames(classifier.config);
  const encoded = {
    ids: [tokenizer.encode(sentence, maxTokens(classifier.config))],
    labels: new Int32Array(1),
  };
  const [verdict] = verdicts(predictLogits(classifier, padBatch(encoded, [0])), names.length);
  return { label: names[verdict!.label]!, score: verdict!.score };
}
