/**
 * Which words a verdict hangs on: each is left out once, and what that does to the verdict is its pull (occlusion, Zeiler and
 * Fergus, 2013; of words, Li et al., 2016, arXiv:1612.08220). It asks nothing of the model but answers; words that only
 * matter together hide from it.
 */
import { ArgumentError } from '../errors.js';
import { softmax } from '../model/softmax.js';
import type { TextClassifier } from '../model/text-classifier.js';
import { prepareWeights } from '../model/model.js';
import { tf } from '../tensorflow/runtime.js';
import { evaluationBatches } from '../model/batch.js';

/** A text, its verdict, and what each of its words did to it. */
export interface Attribution {
  text: string;
  label: string;
  /** The label's probability. */
  score: number;
  /** In order; `pull` is how much of the last class's log-odds goes when the word does: above 0 it spoke for that class. */
  words: { word: string; pull: number }[];
}

/**
 * @param text of one word at least; is asked for as many times as it has words
 * @returns of a classifier of two classes
 * @throws ArgumentError for a text without words, or a classifier of more than two classes
 */
export function wordAttribution(model: TextClassifier, text: string): Attribution {
  const names = model.labels;
  if (names.length !== 2)
    throw new ArgumentError('ARGUMENT_NOT_BINARY', `Words pull between two classes; this model has ${names.length}.`, {
      classes: names,
    });
  const words = text.split(/\s+/).filter(Boolean);
  if (words.length === 0) throw new ArgumentError('ARGUMENT_NO_TEXT', 'The text has no words.', { text });
  const variants = [words, ...words.map((_, left) => words.filter((_, at) => at !== left))];
  const longest = model.maxTokens;
  const texts = {
    ids: variants.map((variant) => model.tokenizer.encode(variant.join(' '), longest)),
    labels: new Int32Array(variants.length),
  };
  const odds = new Float64Array(variants.length);
  let verdict: number[] = [];
  const prepared = prepareWeights(model);
  for (const batch of evaluationBatches(texts, 64, longest)) {
    const logits = model.logits(batch, prepared); // [batch * 2]
    batch.indices.forEach((variant, row) => {
      odds[variant] = logits[2 * row + 1]! - logits[2 * row]!;
      if (variant === 0) verdict = softmax(logits.subarray(2 * row, 2 * row + 2));
    });
  }
  tf.dispose(prepared);
  const score = Math.max(...verdict);
  return {
    text,
    label: names[verdict.indexOf(score)]!,
    score,
    words: words.map((word, i) => ({ word, pull: odds[0]! - odds[i + 1]! })),
  };
}
