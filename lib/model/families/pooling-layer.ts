/**
 * A layer that makes the first token the mean of all tokens, for the encoders whose heads read the first token. Sentence
 * encoders are trained for the mean (Reimers and Gurevych, 2019, arXiv:1908.10084), and as features of a frozen encoder the
 * mean is better than the first token for other models too. As a layer of the family, it needs no other head and no entry
 * in config.json: the model stays one that `transformers` and ONNX compute.
 *
 * With queries and keys of 0, each token attends to all tokens alike. The mean is multiplied by 1,024 before it is added to
 * the token's own state, which thereby hardly counts. The two layer norms give it mean 0 and length 1. The feed-forward
 * block is 0.
 */
import type { StoredTensor } from '../safetensors.js';
import type { EncoderConfig, LayerNames } from './family.js';

/** Weight of the mean against the token's own state. */
const meanScale = 1024;

/** A matrix with the same value on its diagonal, and 0 elsewhere. */
export const diagonal = (width: number, value: number): StoredTensor => ({
  shape: [width, width],
  data: Float32Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? value : 0)),
});

/** A tensor of equal values. */
export const constant = (shape: number[], value: number): StoredTensor => ({
  shape,
  data: new Float32Array(shape.reduce((size, each) => size * each, 1)).fill(value),
});

/**
 * Appends the layer to a stored model, unless it has one.
 * @param config its number of layers is increased
 * @param stored gets the parameters of the layer
 * @param layers names of the layers
 */
export function appendPoolingLayer(
  config: EncoderConfig,
  stored: Map<string, StoredTensor>,
  { prefix, names }: { prefix: string; names: LayerNames },
): void {
  const { dim, hidden_dim: hidden, n_layers: layers } = config;
  const last = stored.get(`${prefix}.${layers - 1}.${names.query}.weight`);
  if (last?.data.every((value) => value === 0)) return;
  const add = (part: keyof LayerNames, weight: StoredTensor, width = dim) => {
    stored.set(`${prefix}.${layers}.${names[part]}.weight`, weight);
    stored.set(`${prefix}.${layers}.${names[part]}.bias`, constant([width], 0));
  };
  add('query', constant([dim, dim], 0));
  add('key', constant([dim, dim], 0));
  add('value', diagonal(dim, 1));
  add('attentionOut', diagonal(dim, meanScale));
  add('attentionNorm', constant([dim], 1));
  add('inner', constant([hidden, dim], 0), hidden);
  add('outer', constant([dim, hidden], 0));
  add('outerNorm', constant([dim], 1 / Math.sqrt(dim)));
  config.n_layers = layers + 1;
}
