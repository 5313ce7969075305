/**
 * DeBERTa v2 and v3 (He et al., 2020, arXiv:2006.03654; 2021, arXiv:2111.09543): BERT without absolute positions, with
 * disentangled attention: scores also depend on products of content with embeddings of the tokens' distance. Version 2 has a
 * convolution next to the first layer. Parity with
 * DebertaV2Model, DebertaV2ForSequenceClassification and DebertaV2ForMaskedLM of `transformers`.
 */
import { dense, norm, type Activation, type Operations } from '../operations.js';
import { bertFields, bertLayer } from './bert.js';
import type { EncoderConfig, Family, LayerNames, MaskedLmHead } from './family.js';
import { maskedLmLogits } from './masked-lm-head.js';
import { outputOfLayer, postNormLayer } from './post-norm-layer.js';

interface DebertaConfig extends EncoderConfig {
  /** Number of buckets of distances in each direction; distances up to half of it have a bucket each. -1: all have one. */
  position_buckets: number;
  /** Largest distance; -1 for max_position_embeddings. */
  max_relative_positions: number;
  /** Tokens that the convolution next to the first layer takes; 0 for none, as in version 3. */
  conv_kernel_size: number;
  /** Activation function of the convolution. */
  conv_act: Activation;
  /** Dropout rate of the first token before the pooler. */
  pooler_dropout: number;
}

const names: LayerNames = {
  ...bertLayer,
  query: 'attention.self.query_proj',
  key: 'attention.self.key_proj',
  value: 'attention.self.value_proj',
};

/**
 * The bucket of a distance, query - key, from -buckets to buckets: one each for small ones, logarithmic for larger ones up to
 * `maxDistance`.
 */
function bucketOf(distance: number, buckets: number, maxDistance: number): number {
  const middle = Math.floor(buckets / 2);
  const length = Math.abs(distance);
  if (length <= middle) return distance;
  // As in transformers, in float32.
  const ratio = Math.fround(Math.log(Math.fround(length / middle)));
  const range = Math.fround(Math.log(Math.fround((maxDistance - 1) / middle)));
  return Math.sign(distance) * (Math.ceil(Math.fround(Math.fround(ratio / range) * (middle - 1))) + middle);
}

/** The embeddings of distances, which all layers use, and the row of each distance, key - query, from 1 - positions. */
function distanceEmbeddings<Value>(operations: Operations<Value>, config: DebertaConfig) {
  const { dim, position_buckets: buckets, max_position_embeddings: positions, layer_norm_eps: epsilon } = config;
  const maxDistance = config.max_relative_positions < 1 ? positions : config.max_relative_positions;
  const span = buckets > 0 ? buckets : maxDistance;
  const table = operations.parameter('deberta.encoder.rel_embeddings.weight', [2 * span, dim]);
  // Rows are counted from the distance -span, query - key.
  const rowOf = (distance: number) => {
    const bucket = buckets > 0 ? bucketOf(-distance, buckets, maxDistance) : -distance;
    return Math.max(0, Math.min(2 * span - 1, bucket + span));
  };
  return {
    embeddings: operations.layerNorm(table, norm(operations, 'deberta.encoder.LayerNorm', dim, epsilon)), // [2 span, dim]
    rows: Int32Array.from({ length: 2 * positions - 1 }, (_, i) => rowOf(i - positions + 1)),
  };
}

/** The first layer's output with that of a convolution over the embeddings: [tokens, dim] -> [tokens, dim]. */
function addConvolution<Value>(operations: Operations<Value>, config: DebertaConfig, x: Value, embedded: Value): Value {
  const { dim, conv_kernel_size: size, conv_act: activation, layer_norm_eps: epsilon, dropout } = config;
  const prefix = 'deberta.encoder.conv';
  const weight = operations.parameter(`${prefix}.conv.weight`, [dim, dim, size]);
  const bias = operations.parameter(`${prefix}.conv.bias`, [dim]);
  const convolved = operations.dropout(operations.convolution(embedded, { weight, bias }), dropout); // [tokens, dim]
  const sum = operations.residual(x, operations.activation(convolved, activation), 0); // [tokens, dim]
  return operations.layerNorm(sum, norm(operations, `${prefix}.LayerNorm`, dim, epsilon));
}

const maskedLm: MaskedLmHead = {
  transform: 'cls.predictions.transform.dense',
  norm: 'cls.predictions.transform.LayerNorm',
  bias: 'cls.predictions.bias',
  decoder: 'cls.predictions.decoder.',
};

export const debertaV2: Family<DebertaConfig> = {
  architecture: 'DebertaV2',
  prefix: 'deberta',
  fields: {
    ...bertFields,
    dim: { name: 'hidden_size', default: 1536 },
    hidden_dim: { name: 'intermediate_size', default: 6144 },
    n_layers: { name: 'num_hidden_layers', default: 24 },
    n_heads: { name: 'num_attention_heads', default: 24 },
    vocab_size: { name: 'vocab_size', default: 128100 },
    type_vocab_size: { name: 'type_vocab_size', default: 0, supported: [0] },
    layer_norm_eps: { name: 'layer_norm_eps', default: 1e-7 },
    seq_classif_dropout: { name: 'cls_dropout', default: 0.1 },
    position_buckets: { name: 'position_buckets', default: -1 },
    max_relative_positions: { name: 'max_relative_positions', default: -1 },
    conv_kernel_size: { name: 'conv_kernel_size', default: 0, supported: [0, 3] },
    conv_act: { name: 'conv_act', default: 'tanh', supported: ['tanh', 'gelu'] },
    pooler_dropout: { name: 'pooler_dropout', default: 0 },
  },
  required: {
    relative_attention: { value: true, absent: false },
    position_biased_input: { value: false, absent: true },
    share_att_key: { value: true, absent: false },
    norm_rel_ebd: { value: 'layer_norm', absent: 'none' },
    pos_att_type: { value: ['p2c', 'c2p'], absent: [] },
    pooler_hidden_act: { value: 'gelu', absent: 'gelu' },
    legacy: { value: true, absent: true },
    conv_groups: { value: 1, absent: 1 },
  },
  derive(config, json) {
    if (typeof json['cls_dropout'] !== 'number') config.seq_classif_dropout = config.dropout;
  },
  sharesParameters: true,
  wordEmbeddings: 'deberta.embeddings.word_embeddings.weight',
  classifier: 'classifier',
  hidden: { name: 'pooler.dense', shift: 8 },
  layers: { prefix: 'deberta.encoder.layer', names },
  maskedLm,
  loraTargetModules: ['query_proj', 'value_proj'],

  encode(operations, config, output) {
    const { dim, n_heads: heads, vocab_size: vocabulary, layer_norm_eps: epsilon, dropout } = config;
    const words = operations.tokenEmbedding(operations.parameter(this.wordEmbeddings, [vocabulary, dim])); // [tokens, dim]
    const embeddingNorm = norm(operations, 'deberta.embeddings.LayerNorm', dim, epsilon);
    const embedded = operations.dropout(operations.layerNorm(words, embeddingNorm), dropout); // [tokens, dim]
    let x = embedded;
    const hasConvolution = config.conv_kernel_size > 0;
    const { embeddings, rows: buckets } = distanceEmbeddings(operations, config);
    for (let i = 0; i < config.n_layers; i++) {
      const layer = `deberta.encoder.layer.${i}`;
      const dropped = operations.dropout(embeddings, dropout);
      // The projections of the content serve the distances too.
      const project = (name: string) =>
        operations.linear(dropped, dense(operations, `${layer}.attention.self.${name}_proj`, dim, dim)); // [2 span, dim]
      const relative = { buckets, query: project('query'), key: project('key') };
      // Scores are sums of three products.
      const scale = 1 / Math.sqrt((3 * dim) / heads);
      const needsAll = hasConvolution && i === 0;
      const layerOutput = needsAll ? 'all' : outputOfLayer(i, config, output);
      x = postNormLayer(operations, config, x, layer, names, layerOutput, { relative, scale });
      if (needsAll) x = addConvolution(operations, config, x, embedded);
    }
    return hasConvolution && config.n_layers === 1 && output === 'cls' ? operations.firstTokens(x) : x;
  },

  classify(operations, config, classes) {
    const { dim } = config;
    const first = operations.dropout(this.encode(operations, config, 'cls'), config.pooler_dropout); // [batch, dim]
    const pooled = operations.linear(first, dense(operations, 'pooler.dense', dim, dim), true); // [batch, dim]
    const dropped = operations.dropout(operations.activation(pooled, 'gelu'), config.seq_classif_dropout);
    return operations.linear(dropped, dense(operations, 'classifier', classes, dim), true); // [batch, classes]
  },

  predictTokens(operations, config, x) {
    return maskedLmLogits(operations, config, x, this.wordEmbeddings, maskedLm);
  },
};
