/**
 * The encoder of DistilBERT (Sanh et al., 2019, arXiv:1910.01108; parity with `transformers`' DistilBertModel), BERT
 * and RoBERTa, which differ in names and few details. Plain tensor code: when it runs eagerly, a breakpoint works
 * anywhere.
 */
import type { Tensor } from '@tensorflow/tfjs';
import { hasFusedKernels } from '../tensorflow/fused-kernels.js';
import { withoutLast, type Precision } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { firstPosition, type EncoderConfig } from './config.js';
import { families } from './families.js';
import type { DropoutSource } from './dropout.js';
import { composedLayers } from './composed-layers.js';
import { fusedLayers } from './fused-layers.js';
import { embeddingLookup, type Layers } from './layers.js';
import type { PackedTexts } from './packed-texts.js';

/** Weights by their Hugging Face names. */
export type Weights = Record<string, Tensor>;

/** The shape of every weight of an encoder, by its Hugging Face name, in the order in which they are stored. */
export function encoderShapes(config: EncoderConfig): Map<string, number[]> {
  const { dim, hidden_dim: hidden } = config;
  const family = families[config.model_type];
  const shapes = new Map<string, number[]>();
  const linearShapes = (name: string, out: number, into: number) => {
    shapes.set(`${name}.weight`, [out, into]);
    shapes.set(`${name}.bias`, [out]);
  };
  const normShapes = (name: string) => {
    shapes.set(`${name}.weight`, [dim]);
    shapes.set(`${name}.bias`, [dim]);
  };
  const embeddings = `${family.prefix}.embeddings`;
  shapes.set(`${embeddings}.word_embeddings.weight`, [config.vocab_size, dim]);
  shapes.set(`${embeddings}.position_embeddings.weight`, [config.max_position_embeddings, dim]);
  if (config.type_vocab_size > 0)
    shapes.set(`${embeddings}.token_type_embeddings.weight`, [config.type_vocab_size, dim]);
  normShapes(`${embeddings}.LayerNorm`);
  for (let i = 0; i < config.n_layers; i++) {
    const layer = `${family.prefix}.${family.layers}.${i}`;
    for (const part of [family.query, family.key, family.value, family.attentionOut])
      linearShapes(`${layer}.${part}`, dim, dim);
    normShapes(`${layer}.${family.attentionNorm}`);
    linearShapes(`${layer}.${family.inner}`, hidden, dim);
    linearShapes(`${layer}.${family.outer}`, dim, hidden);
    normShapes(`${layer}.${family.outerNorm}`);
  }
  return shapes;
}

export interface ForwardOptions {
  /** Seeds for dropout; given only during training. */
  source?: DropoutSource | undefined;
  /** Implementation of the layers. @default fused if available, see layersFor */
  layers?: Layers | undefined;
  /** Precision of matrix products with weights. @default 'float32' */
  precision?: Precision;
}

/** The fused layers if their kernels are available and support the precision, else the composed layers. */
export const layersFor = (precision: Precision): Layers =>
  hasFusedKernels && precision !== 'float16' ? fusedLayers : composedLayers;

/**
 * Computes the hidden states of packed texts.
 * @param output hidden states of all tokens, or of the first token ([CLS]) of each text, saving an eighth of the work
 * @param options see ForwardOptions
 * @returns [tokens, dim], or [batch, dim] for `cls`
 */
export function encode(
  weights: Weights,
  texts: PackedTexts,
  config: EncoderConfig,
  output: 'all' | 'cls',
  { source, precision = 'float32', layers = layersFor(precision) }: ForwardOptions = {},
): Tensor {
  const { dim, n_heads: heads, layer_norm_eps: epsilon } = config;
  const weightOf = (name: string) => weights[`${name}.weight`]!;
  const biasOf = (name: string) => weights[`${name}.bias`]!;
  const dense = (name: string) => ({ weight: weightOf(name), bias: biasOf(name) });
  const addNorm = (a: Tensor, b: Tensor, bias: Tensor, norm: string, rate: number) =>
    layers.residualLayerNorm(a, b, { bias, scale: weightOf(norm), shift: biasOf(norm), epsilon }, rate, source);

  const family = families[config.model_type];
  const embeddings = `${family.prefix}.embeddings`;
  const words = embeddingLookup(weightOf(`${embeddings}.word_embeddings`), texts.ids); // [tokens, dim]
  const positions = embeddingLookup(
    weightOf(`${embeddings}.position_embeddings`),
    tf.add(texts.positions, tf.scalar(firstPosition(config), 'int32')),
  ); // [tokens, dim]
  // All tokens of a single text have type 0.
  const type =
    config.type_vocab_size > 0
      ? tf.reshape(tf.slice(weightOf(`${embeddings}.token_type_embeddings`), [0, 0], [1, dim]), [dim])
      : tf.zeros([dim]);
  const normalized = addNorm(words, positions, type, `${embeddings}.LayerNorm`, 0);
  let x = layers.dropout(normalized, config.dropout, source); // [tokens, dim]

  for (let i = 0; i < config.n_layers; i++) {
    const part = (name: string) => `${family.prefix}.${family.layers}.${i}.${name}`;
    // If only [CLS] is read, the last layer computes the query, and what follows it, for this token only. The result
    // does not change.
    const queries = output === 'cls' && i === config.n_layers - 1 ? 'first' : 'all';
    const queryInput = queries === 'first' ? embeddingLookup(x, withoutLast(texts.offsets)) : x; // [queries, dim]
    const projections = {
      query: dense(part(family.query)),
      key: dense(part(family.key)),
      value: dense(part(family.value)),
    };
    const attended = layers.attention(x, queryInput, projections, weightOf(part(family.attentionOut)), {
      texts,
      queries,
      heads,
      source,
      precision,
      rate: config.attention_dropout,
    });
    // DistilBERT has no dropout here.
    const rate = config.model_type === 'distilbert' ? 0 : config.dropout;
    x = addNorm(queryInput, attended, biasOf(part(family.attentionOut)), part(family.attentionNorm), rate);
    const outer = layers.feedForward(x, dense(part(family.inner)), weightOf(part(family.outer)), precision);
    x = addNorm(x, outer, biasOf(part(family.outer)), part(family.outerNorm), config.dropout);
  }
  return x;
}
