/**
 * Word attributions by occlusion (Zeiler and Fergus, 2013; for words, Li et al., 2016, arXiv:1612.08220): each word is
 * omitted once, and its attribution is the change of the prediction. The method needs predictions only. It does not
 * detect words that matter only in combination.
 */
import { ArgumentError } from '../errors.js';
import type { TextClassifier } from '../model/text-classifier.js';
import { prepareWeights } from '../model/model.js';
import { tf } from '../tensorflow/runtime.js';
import { evaluationBatches } from '../model/batch.js';
import { predictedClass, probabilitiesOf } from '../model/calibration.js';
import { logOdds } from './metrics.js';

/** A text, its predicted label, and the contribution of each of its words. */
export interface Attribution {
  text: string;
  label: string;
  /** The label's probability; of a regression the number. */
  score: number;
  /** The class to which the contributions refer: the second of two classes; of more classes, or if several may apply, the predicted one. */
  favored: string;
  /** The words in order. `contribution` is the log-odds of `favored`, or of a regression the number, minus that without the word. */
  words: { word: string; contribution: number }[];
}

/**
 * Computes the contribution of each word to a prediction. It takes one prediction per word.
 * @param text a text with at least one word
 * @throws ArgumentError for a text without words
 * @example
 * const { label, score, words } = wordAttribution(model, 'It stopped working.');
 */
export function wordAttribution(model: TextClassifier, text: string): Attribution {
  const names = model.labels;
  const words = text.split(/\s+/).filter(Boolean);
  if (words.length === 0)
    throw new ArgumentError('ARGUMENT_NO_TEXT', 'Cannot attribute words: the text has none.', { text });
  const variants = [words, ...words.map((_, omitted) => words.filter((_, i) => i !== omitted))];
  const { maxLength, maxTokens, problemType } = model;
  const texts = {
    ids: variants.map((variant) => model.tokenizer.encode(variant.join(' '), maxLength)),
    labels: new Int32Array(variants.length),
  };
  const logits = new Float32Array(variants.length * names.length); // [variants * classes]
  const prepared = prepareWeights(model);
  for (const batch of evaluationBatches(texts, 64, maxTokens)) {
    const batchLogits = model.logits(batch, prepared);
    batch.indices.forEach((variant, row) =>
      logits.set(batchLogits.subarray(row * names.length, (row + 1) * names.length), variant * names.length),
    );
  }
  tf.dispose(prepared);
  const rowOf = (variant: number) => logits.subarray(variant * names.length, (variant + 1) * names.length);
  const isExclusive = problemType === 'single_label_classification';
  const { label, score } = predictedClass(probabilitiesOf(rowOf(0), problemType));
  const favored = isExclusive && names.length === 2 ? 1 : label;
  // Of a class that applies by itself, the log-odds are the logit.
  const logOddsOf = (variant: number) => (isExclusive ? logOdds(rowOf(variant), favored) : rowOf(variant)[favored]!);
  return {
    text,
    label: names[label]!,
    score,
    favored: names[favored]!,
    words: words.map((word, i) => ({ word, contribution: logOddsOf(0) - logOddsOf(i + 1) })),
  };
}
