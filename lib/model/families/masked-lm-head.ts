/**
 * The head that predicts masked tokens in BERT and its relatives: a dense layer, an activation and a layer norm, then the
 * product with the word embeddings, whose weights it shares.
 */
import { dense, norm, type Activation, type Operations } from '../operations.js';
import type { EncoderConfig, MaskedLmHead } from './family.js';

/**
 * Computes the logits of the vocabulary.
 * @param x hidden states, [n, dim]
 * @param words name of the word embedding
 * @param options width of the word embedding, by default that of hidden states, and the activation, by default GELU
 * @returns [n, vocabulary]
 */
export function maskedLmLogits<Value>(
  operations: Operations<Value>,
  { dim, vocab_size: vocabulary, layer_norm_eps: epsilon }: EncoderConfig,
  x: Value,
  words: string,
  head: MaskedLmHead,
  { width = dim, activation = 'gelu' }: { width?: number; activation?: Activation } = {},
): Value {
  const transformed = operations.linear(x, dense(operations, head.transform, width, dim)); // [n, width]
  const activated = operations.activation(transformed, activation);
  const normalized = operations.layerNorm(activated, norm(operations, head.norm, width, epsilon));
  return operations.linear(normalized, {
    weight: operations.parameter(words, [vocabulary, width]),
    bias: operations.parameter(head.bias, [vocabulary]),
  }); // [n, vocabulary]
}
