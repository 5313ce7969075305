/**
 * The masked-LM head: a dense layer, GELU and a layer norm, then the product with the word embeddings, whose weights it
 * shares (parity with `transformers`' DistilBertForMaskedLM, BertForMaskedLM and RobertaForMaskedLM). It is computed
 * only at the given positions, since a vocabulary is large and most tokens are not masked.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { gelu } from './composed-layers.js';
import type { EncoderConfig } from './config.js';
import { encode, encoderShapes, type ForwardOptions, type Weights } from './encoder.js';
import { families, wordEmbeddings } from './families.js';
import { addBias, embeddingLookup, layerNorm, product } from './layers.js';
import type { PackedTexts } from './packed-texts.js';

/** The shape of every weight of a masked-language model, by its Hugging Face name; word embeddings are stored once. */
export function maskedLanguageModelShapes(config: EncoderConfig): Map<string, number[]> {
  const { transform, transformNorm, vocabularyBias } = families[config.model_type];
  const { dim } = config;
  return new Map([
    ...encoderShapes(config),
    [`${transform}.weight`, [dim, dim]],
    [`${transform}.bias`, [dim]],
    [`${transformNorm}.weight`, [dim]],
    [`${transformNorm}.bias`, [dim]],
    [vocabularyBias, [config.vocab_size]],
  ]);
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
  const { precision = 'float32' } = options;
  const { transform, transformNorm, vocabularyBias } = families[config.model_type];
  const weightOf = (name: string) => weights[`${name}.weight`]!;
  const biasOf = (name: string) => weights[`${name}.bias`]!;
  const all = encode(weights, texts, config, 'all', options); // [tokens, dim]
  const hidden = embeddingLookup(all, positions); // [n, dim]
  const dense = addBias(product(hidden, weightOf(transform), precision), biasOf(transform));
  const transformed = layerNorm(gelu(dense), weightOf(transformNorm), biasOf(transformNorm), config.layer_norm_eps);
  const logits = product(transformed, weights[wordEmbeddings(config.model_type)]!, precision); // [n, vocabulary]
  return addBias(logits, weights[vocabularyBias]!);
}
