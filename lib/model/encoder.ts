/**
 * The encoder of DistilBERT (Sanh et al., 2019, arXiv:1910.01108; parity with `transformers`' DistilBertModel), BERT
 * and RoBERTa, which differ in names and few details. Plain tensor code: when it runs eagerly, a breakpoint works
 * anywhere.
 */
import type { Rank, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { hasFusedKernels } from '../tensorflow/fused-kernels.js';
import type { Precision } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { firstPosition, type EncoderConfig } from './config.js';
import { families } from './families.js';
import type { DropoutSource } from './dropout.js';
import { composedLayers } from './composed-layers.js';
import { fusedLayers } from './fused-layers.js';
import { embeddingLookup, layerNorm, type Layers } from './layers.js';

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
  /** Number of tokens of each text without padding, which follows them: [batch], int32. @default all tokens */
  lengths?: Tensor1D | undefined;
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
 * Computes the hidden states of texts.
 * @param inputIds [batch, tokens], int32
 * @param output hidden states of all tokens, or of the first token ([CLS]) of each text, saving an eighth of the work
 * @param options see ForwardOptions
 * @returns [batch * tokens, dim], or [batch, dim] for `cls`
 */
export function encode(
  weights: Weights,
  inputIds: Tensor2D,
  config: EncoderConfig,
  output: 'all' | 'cls',
  { lengths, source, precision = 'float32', layers = layersFor(precision) }: ForwardOptions = {},
): Tensor {
  const [batch, tokens] = inputIds.shape;
  const { dim, n_heads: heads, layer_norm_eps: epsilon } = config;
  const weightOf = (name: string) => weights[`${name}.weight`]!;
  const biasOf = (name: string) => weights[`${name}.bias`]!;
  const dense = (name: string) => ({ weight: weightOf(name), bias: biasOf(name) });
  const add = (a: Tensor, b: Tensor, linear: string, norm: string, rate: number) =>
    layers.residualLayerNorm(
      a,
      b,
      { bias: biasOf(linear), scale: weightOf(norm), shift: biasOf(norm), epsilon },
      rate,
      source,
    );
  // The hidden states of the first tokens, [CLS].
  const firstTokens = (x: Tensor) =>
    tf.reshape(tf.slice(tf.reshape(x, [batch, tokens, dim]), [0, 0, 0], [batch, 1, dim]), [batch, dim]);

  const family = families[config.model_type];
  const embeddings = `${family.prefix}.embeddings`;
  const ids = tf.reshape<Rank.R1>(inputIds, [batch * tokens]);
  const words = embeddingLookup(weightOf(`${embeddings}.word_embeddings`), ids); // [batch * tokens, dim]
  const from = firstPosition(config);
  let positions = tf.slice(weightOf(`${embeddings}.position_embeddings`), [from, 0], [tokens, dim]); // [tokens, dim]
  // All tokens of a single text have type 0.
  if (config.type_vocab_size > 0)
    positions = tf.add(positions, tf.slice(weightOf(`${embeddings}.token_type_embeddings`), [0, 0], [1, dim]));
  const embedded = tf.reshape(tf.add(tf.reshape(words, [batch, tokens, dim]), positions), [batch * tokens, dim]);
  const norm = `${embeddings}.LayerNorm`;
  const normalized = layerNorm(embedded, weightOf(norm), biasOf(norm), epsilon);
  let x = layers.dropout(normalized, config.dropout, source); // [batch * tokens, dim]

  for (let i = 0; i < config.n_layers; i++) {
    const part = (name: string) => `${family.prefix}.${family.layers}.${i}.${name}`;
    // If only [CLS] is read, the last layer computes the query, and what follows it, for this token only. The result
    // does not change.
    const queryInput = output === 'cls' && i === config.n_layers - 1 ? firstTokens(x) : x; // [batch * queries, dim]
    const projections = {
      query: dense(part(family.query)),
      key: dense(part(family.key)),
      value: dense(part(family.value)),
    };
    const attended = layers.attention(x, queryInput, projections, weightOf(part(family.attentionOut)), {
      batch,
      heads,
      lengths,
      source,
      precision,
      rate: config.attention_dropout,
    });
    // DistilBERT has no dropout here.
    const rate = config.model_type === 'distilbert' ? 0 : config.dropout;
    x = add(queryInput, attended, part(family.attentionOut), part(family.attentionNorm), rate);
    const outer = layers.feedForward(x, dense(part(family.inner)), weightOf(part(family.outer)), precision);
    x = add(x, outer, part(family.outer), part(family.outerNorm), config.dropout);
  }
  return x;
}
