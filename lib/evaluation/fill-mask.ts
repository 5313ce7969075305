/** What a model guesses for a hidden word: what it has read is seen nowhere better. */
import { ArgumentError } from '../errors.js';
import { maskedLanguageModel } from '../model/masked-language-model.js';
import type { MaskedModel } from '../model/masked-model.js';
import { batchTensors, readWeights } from '../model/model.js';
import { tf } from '../tensorflow/runtime.js';
import type { MaskingVocabulary } from '../batching/masking.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** A guess, in the shape of transformers' fill-mask pipeline. */
export interface Guess {
  token: string;
  /** Its probability. */
  score: number;
}

/**
 * The likeliest tokens for the one that is hidden.
 * @param text holds the tokenizer's hiding token once: `The [MASK] stopped working.`
 * @param count default 5
 * @throws ArgumentError unless exactly one token is hidden
 */
export function fillMask(
  model: MaskedModel,
  tokenizer: Tokenizer,
  vocabulary: MaskingVocabulary,
  text: string,
  count = 5,
): Guess[] {
  const ids = tokenizer.encode(text);
  const hidden = [...ids.keys()].filter((at) => ids[at] === vocabulary.mask);
  if (hidden.length !== 1)
    throw new ArgumentError(
      'ARGUMENT_NOT_ONE_MASK',
      `'${text}' hides ${hidden.length} tokens; one is guessed at a time.`,
      { text, masks: hidden.length },
    );
  const probabilities = tf.tidy(() => {
    const inputs = batchTensors({
      inputIds: ids,
      lengths: Int32Array.of(ids.length),
      batch: 1,
      tokens: ids.length,
    });
    const positions = tf.tensor1d(hidden, 'int32');
    const logits = maskedLanguageModel(readWeights(model), inputs.ids, positions, model.config, model.engine); // [1, vocabulary]
    return tf.softmax(logits).dataSync<'float32'>();
  });
  return [...probabilities.keys()]
    .sort((a, b) => probabilities[b]! - probabilities[a]!)
    .slice(0, count)
    .map((id) => ({ token: vocabulary.pieces[id]!, score: probabilities[id]! }));
}
