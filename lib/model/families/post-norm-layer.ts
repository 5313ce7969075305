/**
 * The layer of BERT and most of its relatives: attention and a feed-forward block, each followed by the layer norm of its
 * sum with its input (Vaswani et al., 2017, arXiv:1706.03762, figure 1). Families differ in its names, and in how attention
 * depends on the positions of tokens.
 */
import { dense, norm, type AttentionOptions, type Operations } from '../operations.js';
import type { EncoderConfig, LayerNames } from './family.js';

/** Dropout rates after attention and after the feed-forward block, and how attention depends on positions. */
export interface LayerOptions<Value> extends Partial<AttentionOptions<Value>> {
  /** @default the rate of hidden states */
  attentionOutRate?: number;
  /** @default the rate of hidden states */
  outerRate?: number;
}

/**
 * Computes a layer.
 * @param x [tokens, dim]
 * @param names without the prefix of the layer
 * @param output hidden states of all tokens, or of the first token of each text
 * @returns [tokens, dim], or [batch, dim] for `cls`
 */
export function postNormLayer<Value>(
  operations: Operations<Value>,
  config: EncoderConfig,
  x: Value,
  layer: string,
  names: LayerNames,
  output: 'all' | 'cls',
  { attentionOutRate = config.dropout, outerRate = config.dropout, ...attention }: LayerOptions<Value> = {},
): Value {
  const { dim, hidden_dim: hidden, layer_norm_eps: epsilon } = config;
  const part = (name: keyof LayerNames, out: number, into: number) =>
    dense(operations, `${layer}.${names[name]}`, out, into);
  const normOf = (name: keyof LayerNames) => norm(operations, `${layer}.${names[name]}`, dim, epsilon);

  // If only [CLS] is used, the query, and what follows it, is computed for this token only. The result is the same.
  const queryInput = output === 'cls' ? operations.firstTokens(x) : x; // [queries, dim]
  const projections = { query: part('query', dim, dim), key: part('key', dim, dim), value: part('value', dim, dim) };
  const out = part('attentionOut', dim, dim);
  const attended = operations.attention(x, queryInput, projections, out.weight, {
    heads: config.n_heads,
    rate: config.attention_dropout,
    queries: output === 'cls' ? 'first' : 'all',
    ...attention,
  }); // [queries, dim]
  const y = operations.residualLayerNorm(queryInput, attended, out.bias, normOf('attentionNorm'), attentionOutRate);

  const inner = part('inner', hidden, dim);
  const outer = part('outer', dim, hidden);
  const fed = operations.feedForward(y, inner, outer.weight, config.activation); // [queries, dim]
  return operations.residualLayerNorm(y, fed, outer.bias, normOf('outerNorm'), outerRate);
}

/** Whether a layer computes the first token of each text only: the last one, if no other is used. */
export const outputOfLayer = (layer: number, { n_layers: layers }: EncoderConfig, output: 'all' | 'cls') =>
  layer === layers - 1 ? output : 'all';
