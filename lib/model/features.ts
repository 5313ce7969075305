/**
 * The features of a text: the input of the classifier, the last layer of the head. A model that is loaded for features has
 * the mean of the tokens' hidden states there, where its family can compute it, and else the first token's hidden state.
 * A classifier fitted on the features is then the family's own head, without any change of the architecture.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs';
import { labelNames, type EncoderConfig } from './config.js';
import { familyOf, partOf } from './families.js';
import { appendPoolingLayer, constant, diagonal } from './families/pooling-layer.js';
import type { PackedTexts } from './packed-texts.js';
import type { StoredTensor } from './safetensors.js';
import { tensorOperations, type ForwardOptions, type Weights } from './tensor-operations.js';

/**
 * Changes a stored model so that its classifier gets the mean of the tokens: see pooling-layer.ts and Family. The dense
 * layer of the head becomes the identity, and a stored classifier is removed.
 * @param config is changed
 * @param stored is changed
 * @returns a note on what the head gets
 */
export function prepareFeatures(config: EncoderConfig, stored: Map<string, StoredTensor>): string {
  const { classifier, hidden, layers, meanPooling } = familyOf(config);
  for (const kind of ['weight', 'bias']) stored.delete(`${classifier}.${kind}`);
  if (hidden) {
    stored.set(`${hidden.name}.weight`, diagonal(config.dim, 1));
    stored.set(`${hidden.name}.bias`, constant([config.dim], hidden.shift));
  }
  if (layers) appendPoolingLayer(config, stored, layers);
  Object.assign(config, meanPooling);
  if (layers) return `The head gets the mean of the tokens, which layer ${config.n_layers} computes.`;
  return meanPooling
    ? 'The head gets the mean of the tokens.'
    : `The head gets the first token: models of the type ${config.model_type} cannot average the tokens.`;
}

/** Whether a parameter is part of what computes features from the encoder's hidden states: the appended layer, or the head. */
export const isFeatureHead = (name: string, config: EncoderConfig): boolean => {
  const part = partOf(name);
  return part === 'head' || (familyOf(config).layers !== undefined && part === config.n_layers - 1);
};

/**
 * Computes the features of packed texts.
 * @param options see ForwardOptions. Dropout applies to the encoder only
 * @returns [batch, dim], with the shift of the family's hidden layer, see Family
 */
export function textFeatures(
  weights: Weights,
  texts: PackedTexts,
  config: EncoderConfig,
  options: ForwardOptions = {},
): Tensor2D {
  const family = familyOf(config);
  const operations = tensorOperations(weights, texts, config, options);
  let features: Tensor | undefined;
  // The classifier is the last dense layer of every family.
  const linear: typeof operations.linear = (x, dense, exact) => operations.linear((features = x), dense, exact);
  family.classify({ ...operations, linear }, { ...config, seq_classif_dropout: 0 }, labelNames(config).length);
  return features as Tensor2D;
}
