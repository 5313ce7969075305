/**
 * A masked-language model: an encoder with the head that predicts masked tokens. The head is computed only at the given
 * positions, since a vocabulary is large and most tokens are not masked.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import type { EncoderConfig } from './config.js';
import { familyOf } from './families.js';
import { embeddingLookup } from './layers.js';
import type { PackedTexts } from './packed-texts.js';
import { parameterShapes } from './parameter-shapes.js';
import { tensorOperations, type ForwardOptions, type Weights } from './tensor-operations.js';

/** The shape of every weight of a masked-language model, by its Hugging Face name; word embeddings are stored once. */
export function maskedLanguageModelShapes(config: EncoderConfig): Map<string, number[]> {
  const family = familyOf(config);
  return parameterShapes((operations) =>
    family.predictTokens(operations, config, family.encode(operations, config, 'all')),
  );
}

/**
 * Computes the logits of the vocabulary at the given positions.
 * @param positions [n], int32: indices of packed tokens
 * @param options see ForwardOptions
 * @returns [n, vocabulary]
 */
export function maskedLanguageModel(
  weights: Weights,
  texts: PackedTexts,
  positions: Tensor1D,
  config: EncoderConfig,
  options: ForwardOptions = {},
): Tensor {
  const family = familyOf(config);
  const operations = tensorOperations(weights, texts, config, options);
  const all = family.encode(operations, config, 'all'); // [tokens, dim]
  return family.predictTokens(operations, config, embeddingLookup(all, positions)); // [n, vocabulary]
}
