/**
 * DistilBERT for sequence classification, all of it (Sanh et al., 2019, arXiv:1910.01108; parity with
 * `transformers`' DistilBertForSequenceClassification). Plain tensor code, run eagerly: a breakpoint works anywhere.
 */
import type { Rank, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { fusedKernelsRun } from '../tensorflow/fused-kernels.js';
import type { Precision } from '../tensorflow/precision.js';
import { tf } from '../tensorflow/runtime.js';
import type { DistilBertConfig } from './config.js';
import type { DropoutSource } from './dropout.js';
import { composedLayers } from './composed-layers.js';
import { fusedLayers } from './fused-layers.js';
import { addBias, embeddingLookup, layerNorm, product, type Layers } from './layers.js';

/** Weights by Hugging Face's names. */
export type Weights = Record<string, Tensor>;

/** The shape of every weight of a classifier, by Hugging Face's names, in the order in which they are stored. */
export function weightShapes(config: DistilBertConfig, labels: number): Map<string, number[]> {
  const { dim, hidden_dim: hidden } = config;
  const shapes = new Map<string, number[]>();
  const linearShapes = (name: string, out: number, into: number) => {
    shapes.set(`${name}.weight`, [out, into]);
    shapes.set(`${name}.bias`, [out]);
  };
  const normShapes = (name: string) => {
    shapes.set(`${name}.weight`, [dim]);
    shapes.set(`${name}.bias`, [dim]);
  };
  shapes.set('distilbert.embeddings.word_embeddings.weight', [config.vocab_size, dim]);
  shapes.set('distilbert.embeddings.position_embeddings.weight', [config.max_position_embeddings, dim]);
  normShapes('distilbert.embeddings.LayerNorm');
  for (let i = 0; i < config.n_layers; i++) {
    const layer = `distilbert.transformer.layer.${i}`;
    for (const part of ['q_lin', 'k_lin', 'v_lin', 'out_lin']) linearShapes(`${layer}.attention.${part}`, dim, dim);
    normShapes(`${layer}.sa_layer_norm`);
    linearShapes(`${layer}.ffn.lin1`, hidden, dim);
    linearShapes(`${layer}.ffn.lin2`, dim, hidden);
    normShapes(`${layer}.output_layer_norm`);
  }
  linearShapes('pre_classifier', dim, dim);
  linearShapes('classifier', labels, dim);
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
  fusedKernelsRun && precision !== 'float16' ? fusedLayers : composedLayers;

/**
 * Texts to logits.
 * @param inputIds [batch, tokens], int32
 * @param options see ForwardOptions
 * @returns [batch, labels]
 */
export function sequenceClassification(
  weights: Weights,
  inputIds: Tensor2D,
  config: DistilBertConfig,
  { lengths, source, precision = 'float32', layers = layersFor(precision) }: ForwardOptions = {},
): Tensor2D {
  const [batch, tokens] = inputIds.shape;
  const { dim, n_heads: heads } = config;
  const weightOf = (name: string) => weights[`${name}.weight`]!;
  const biasOf = (name: string) => weights[`${name}.bias`]!;
  const dense = (name: string) => ({ weight: weightOf(name), bias: biasOf(name) });
  const add = (a: Tensor, b: Tensor, linear: string, norm: string, rate: number) =>
    layers.residualLayerNorm(a, b, { bias: biasOf(linear), scale: weightOf(norm), shift: biasOf(norm) }, rate, source);
  // The first token, [CLS], speaks for the text.
  const firstOf = (x: Tensor) =>
    tf.reshape(tf.slice(tf.reshape(x, [batch, tokens, dim]), [0, 0, 0], [batch, 1, dim]), [batch, dim]);

  const ids = tf.reshape<Rank.R1>(inputIds, [batch * tokens]);
  const words = embeddingLookup(weightOf('distilbert.embeddings.word_embeddings'), ids); // [batch * tokens, dim]
  const positions = tf.slice(weightOf('distilbert.embeddings.position_embeddings'), [0, 0], [tokens, dim]); // [tokens, dim]
  const embedded = tf.reshape(tf.add(tf.reshape(words, [batch, tokens, dim]), positions), [batch * tokens, dim]);
  const norm = 'distilbert.embeddings.LayerNorm';
  let x = layers.dropout(layerNorm(embedded, weightOf(norm), biasOf(norm)), config.dropout, source); // [batch * tokens, dim]

  for (let i = 0; i < config.n_layers; i++) {
    const layer = `distilbert.transformer.layer.${i}`;
    const [attention, ffn] = [`${layer}.attention`, `${layer}.ffn`];
    // The head reads the last layer's first token alone: no other needs a query there, nor what follows it. That spares
    // an eighth of all the work, and the result is the same.
    const asking = i === config.n_layers - 1 ? firstOf(x) : x; // [batch * asking tokens, dim]
    const projections = {
      query: dense(`${attention}.q_lin`),
      key: dense(`${attention}.k_lin`),
      value: dense(`${attention}.v_lin`),
    };
    const attended = layers.attention(x, asking, projections, weightOf(`${attention}.out_lin`), {
      ...{ batch, heads, lengths, source, precision },
      rate: config.attention_dropout,
    });
    x = add(asking, attended, `${attention}.out_lin`, `${layer}.sa_layer_norm`, 0);
    const outer = layers.feedForward(x, dense(`${ffn}.lin1`), weightOf(`${ffn}.lin2`), precision);
    x = add(x, outer, `${ffn}.lin2`, `${layer}.output_layer_norm`, config.dropout);
  }

  // Two small products: float32 costs nothing here, and the logits have all their digits.
  const linear = (x: Tensor, name: string) => addBias(product(x, weightOf(name), 'float32'), biasOf(name));
  const pooled = layers.dropout(tf.relu(linear(x, 'pre_classifier')), config.seq_classif_dropout, source);
  return linear(pooled, 'classifier') as Tensor2D;
}
