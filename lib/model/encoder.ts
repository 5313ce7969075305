/**
 * The encoder of DistilBERT, all of it (Sanh et al., 2019, arXiv:1910.01108; parity with `transformers`' DistilBertModel), and of
 * its elders BERT and RoBERTa, which differ in names and little else. Plain tensor code, run eagerly: a breakpoint works
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

/** Weights by Hugging Face's names. */
export type Weights = Record<string, Tensor>;

/** The shape of every weight of an encoder, by Hugging Face's names, in the order in which they are stored. */
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
  /** How many tokens of each text are no padding, which stands behind them: [batch], int32. Default: all. */
  lengths?: Tensor1D | undefined;
  /** Given while training: dropout's random numbers. */
  source?: DropoutSource | undefined;
  /** Which making of the parts. Default: the fused one where it runs, see layersFor. */
  layers?: Layers | undefined;
  /** Of the products with weights. @default 'float32' */
  precision?: Precision;
}

/** The fused parts where tensors live on the processor, in the precisions that they know; else the composed ones. */
export const layersFor = (precision: Precision): Layers =>
  hasFusedKernels && precision !== 'float16' ? fusedLayers : composedLayers;

/**
 * Texts to vectors.
 * @param inputIds [batch, tokens], int32
 * @param asked whose vectors are wanted: of all tokens, or of the first of each text, which saves an eighth of all the work
 * @param options see ForwardOptions
 * @returns [batch * tokens, dim], or [batch, dim] of the first ones
 */
export function encode(
  weights: Weights,
  inputIds: Tensor2D,
  config: EncoderConfig,
  asked: 'all' | 'first',
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
  // The first token, [CLS], speaks for the text.
  const firstOf = (x: Tensor) =>
    tf.reshape(tf.slice(tf.reshape(x, [batch, tokens, dim]), [0, 0, 0], [batch, 1, dim]), [batch, dim]);

  const family = families[config.model_type];
  const embeddings = `${family.prefix}.embeddings`;
  const ids = tf.reshape<Rank.R1>(inputIds, [batch * tokens]);
  const words = embeddingLookup(weightOf(`${embeddings}.word_embeddings`), ids); // [batch * tokens, dim]
  const from = firstPosition(config);
  let positions = tf.slice(weightOf(`${embeddings}.position_embeddings`), [from, 0], [tokens, dim]); // [tokens, dim]
  // A single text's tokens all have type 0.
  if (config.type_vocab_size > 0)
    positions = tf.add(positions, tf.slice(weightOf(`${embeddings}.token_type_embeddings`), [0, 0], [1, dim]));
  const embedded = tf.reshape(tf.add(tf.reshape(words, [batch, tokens, dim]), positions), [batch * tokens, dim]);
  const norm = `${embeddings}.LayerNorm`;
  const normalized = layerNorm(embedded, weightOf(norm), biasOf(norm), epsilon);
  let x = layers.dropout(normalized, config.dropout, source); // [batch * tokens, dim]

  for (let i = 0; i < config.n_layers; i++) {
    const part = (name: string) => `${family.prefix}.${family.layers}.${i}.${name}`;
    // Where a head reads the last layer's first token alone, no other needs a query there, nor what follows it. The result
    // is the same.
    const asking = asked === 'first' && i === config.n_layers - 1 ? firstOf(x) : x; // [batch * asking tokens, dim]
    const projections = {
      query: dense(part(family.query)),
      key: dense(part(family.key)),
      value: dense(part(family.value)),
    };
    const attended = layers.attention(x, asking, projections, weightOf(part(family.attentionOut)), {
      ...{ batch, heads, lengths, source, precision },
      rate: config.attention_dropout,
    });
    // DistilBERT drops nothing here.
    const rate = config.model_type === 'distilbert' ? 0 : config.dropout;
    x = add(asking, attended, part(family.attentionOut), part(family.attentionNorm), rate);
    const outer = layers.feedForward(x, dense(part(family.inner)), weightOf(part(family.outer)), precision);
    x = add(x, outer, part(family.outer), part(family.outerNorm), config.dropout);
  }
  return x;
}
