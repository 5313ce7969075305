/**
 * Word attributions by occlusion (Zeiler and Fergus, 2013; for words, Li et al., 2016, arXiv:1612.08220): each word is
 * omitted once, and its attribution is the change of the prediction. The method needs predictions only. It does not
 * detect words that matter only in combination.
 */
import { ArgumentError } from '../errors.js';
import { softmax } from '../model/softmax.js';
import type { TextClassifier } from '../model/text-classifier.js';
import { prepareWeights } from '../model/model.js';
import { tf } from '../tensorflow/runtime.js';
import { evaluationBatches } from '../model/batch.js';

/** A text, its predicted label, and the contribution of each of its words. */
export interface Attribution {
  text: string;
  label: string;
  /** The label's probability. */
  score: number;
  /**
   * The words in order. `contribution` is the log-odds of the second class minus those without the word; above 0 it favors that
   * class.
   */
  words: { word: string; contribution: number }[];
}

/**
 * Computes the contribution of each word to the prediction of a binary classifier. It takes one prediction per word.
 * @param text a text with at least one word
 * @throws ArgumentError for a text without words, or a classifier that does not have two classes
 * @example
 * const { label, score, words } = wordAttribution(model, 'It stopped working.');
 */
export function wordAttribution(model: TextClassifier, text: string): Attribution {
  const names = model.labels;
  if (names.length !== 2)
    throw new ArgumentError(
      'ARGUMENT_NOT_BINARY',
      `Word attribution requires a model with two classes; this model has ${names.length}: ${names.join(', ')}.`,
      { classes: names },
    );
  const words = text.split(/\s+/).filter(Boolean);
  if (words.length === 0)
    throw new ArgumentError('ARGUMENT_NO_TEXT', 'Cannot attribute words: the text has none.', { text });
  const variants = [words, ...words.map((_, omitted) => words.filter((_, i) => i !== omitted))];
  const { maxTokens } = model;
  const texts = {
    ids: variants.map((variant) => model.tokenizer.encode(variant.join(' '), maxTokens)),
    labels: new Int32Array(variants.length),
  };
  const logOdds = new Float64Array(variants.length);
  let probabilities: number[] = [];
  const prepared = prepareWeights(model);
  for (const batch of evaluationBatches(texts, 64, maxTokens)) {
    const logits = model.logits(batch, prepared); // [batch * 2]
    batch.indices.forEach((variant, row) => {
      logOdds[variant] = logits[2 * row + 1]! - logits[2 * row]!;
      if (variant === 0) probabilities = softmax(logits.subarray(2 * row, 2 * row + 2));
    });
  }
  tf.dispose(prepared);
  const score = Math.max(...probabilities);
  return {
    text,
    label: names[probabilities.indexOf(score)]!,
    score,
    words: words.map((word, i) => ({ word, contribution: logOdds[0]! - logOdds[i + 1]! })),
  };
}
