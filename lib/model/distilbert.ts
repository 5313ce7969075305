/**
 * DistilBERT for sequence classification, all of it (Sanh et al., 2019, arXiv:1910.01108; parity with
 * `transformers`' DistilBertForSequenceClassification). Plain tensor code, run eagerly: a breakpoint works anywhere.
 */
import type { Rank, Tensor, Tensor2D } from '@tensorflow/tfjs';
import { tf } from '../tensorflow/runtime.js';
import type { DistilBertConfig } from './config.js';
import type { DropoutSource } from './dropout.js';
import { attention, dropout, embeddingLookup, gelu, layerNorm, linear } from './layers.js';

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

/**
 * Texts to logits.
 * @param inputIds [batch, tokens], int32
 * @param attentionMask [batch, tokens], int32: 1 a token, 0 padding; none when nothing is padded
 * @param source given while training: dropout's random numbers
 * @returns [batch, labels]
 */
export function sequenceClassification(
  weights: Weights,
  inputIds: Tensor2D,
  attentionMask: Tensor2D | undefined,
  config: DistilBertConfig,
  source?: DropoutSource,
): Tensor2D {
  const [batch, tokens] = inputIds.shape;
  const { dim, n_heads: heads } = config;
  const linearOf = (x: Tensor, name: string) => linear(x, weights[`${name}.weight`]!, weights[`${name}.bias`]!);
  const normOf = (x: Tensor, name: string) => layerNorm(x, weights[`${name}.weight`]!, weights[`${name}.bias`]!);
  const split = (x: Tensor) => tf.transpose(tf.reshape(x, [batch, -1, heads, dim / heads]), [0, 2, 1, 3]); // [batch, heads, tokens, dim / heads]
  const join = (x: Tensor) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, dim]); // [batch * tokens, dim]
  // The first token, [CLS], speaks for the text.
  const firstOf = (x: Tensor) =>
    tf.reshape(tf.slice(tf.reshape(x, [batch, tokens, dim]), [0, 0, 0], [batch, 1, dim]), [batch, dim]);

  const ids = tf.reshape<Rank.R1>(inputIds, [batch * tokens]);
  const words = embeddingLookup(weights['distilbert.embeddings.word_embeddings.weight']!, ids); // [batch * tokens, dim]
  const positions = tf.slice(weights['distilbert.embeddings.position_embeddings.weight']!, [0, 0], [tokens, dim]); // [tokens, dim]
  let x = tf.reshape(tf.add(tf.reshape(words, [batch, tokens, dim]), positions), [batch * tokens, dim]);
  x = dropout(normOf(x, 'distilbert.embeddings.LayerNorm'), config.dropout, source);

  // Padding must not be attended to: e^-1e9 is 0 in float32.
  const bias =
    attentionMask && tf.reshape(tf.mul(tf.sub(1, tf.cast(attentionMask, 'float32')), -1e9), [batch, 1, 1, tokens]);

  for (let i = 0; i < config.n_layers; i++) {
    const layer = `distilbert.transformer.layer.${i}`;
    // The head reads the last layer's first token alone: no other needs a query there, nor what follows it. That spares
    // an eighth of all the work, and the result is the same.
    const asking = i === config.n_layers - 1 ? firstOf(x) : x;
    const query = split(linearOf(asking, `${layer}.attention.q_lin`));
    const key = split(linearOf(x, `${layer}.attention.k_lin`));
    const value = split(linearOf(x, `${layer}.attention.v_lin`));
    const context = join(attention(query, key, value, bias, config.attention_dropout, source));
    x = normOf(tf.add(asking, linearOf(context, `${layer}.attention.out_lin`)), `${layer}.sa_layer_norm`);
    const inner = gelu(linearOf(x, `${layer}.ffn.lin1`)); // [batch * tokens, hidden_dim]
    const outer = dropout(linearOf(inner, `${layer}.ffn.lin2`), config.dropout, source);
    x = normOf(tf.add(x, outer), `${layer}.output_layer_norm`);
  }

  const pooled = dropout(tf.relu(linearOf(x, 'pre_classifier')), config.seq_classif_dropout, source);
  return linearOf(pooled, 'classifier') as Tensor2D;
}
