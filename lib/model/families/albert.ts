/**
 * ALBERT (Lan et al., 2019, arXiv:1909.11942): BERT with narrow embeddings, and with layers that share their parameters.
 * Parity with AlbertModel, AlbertForSequenceClassification and AlbertForMaskedLM of `transformers`.
 */
import { dense } from '../operations.js';
import { absolutePositions, bertEmbeddings, bertFields } from './bert.js';
import type { EncoderConfig, Family, LayerNames, MaskedLmHead } from './family.js';
import { maskedLmLogits } from './masked-lm-head.js';
import { outputOfLayer, postNormLayer } from './post-norm-layer.js';

interface AlbertConfig extends EncoderConfig {
  /** Width of the embeddings. */
  embedding_size: number;
  /** Number of groups of layers; the layers of a group share their parameters. */
  num_hidden_groups: number;
  /** Number of layers with parameters of their own in a group. */
  inner_group_num: number;
}

const names: LayerNames = {
  query: 'attention.query',
  key: 'attention.key',
  value: 'attention.value',
  attentionOut: 'attention.dense',
  attentionNorm: 'attention.LayerNorm',
  inner: 'ffn',
  outer: 'ffn_output',
  outerNorm: 'full_layer_layer_norm',
};

const maskedLm: MaskedLmHead = {
  transform: 'predictions.dense',
  norm: 'predictions.LayerNorm',
  bias: 'predictions.bias',
  decoder: 'predictions.decoder.',
};

export const albert: Family<AlbertConfig> = {
  architecture: 'Albert',
  prefix: 'albert',
  fields: {
    ...bertFields,
    activation: { name: 'hidden_act', default: 'gelu_new', supported: ['gelu_new', 'gelu'] },
    embedding_size: { name: 'embedding_size', default: 128 },
    dim: { name: 'hidden_size', default: 4096 },
    hidden_dim: { name: 'intermediate_size', default: 16384 },
    n_heads: { name: 'num_attention_heads', default: 64 },
    num_hidden_groups: { name: 'num_hidden_groups', default: 1 },
    inner_group_num: { name: 'inner_group_num', default: 1, supported: [1] },
    vocab_size: { name: 'vocab_size', default: 30000 },
    dropout: { name: 'hidden_dropout_prob', default: 0 },
    attention_dropout: { name: 'attention_probs_dropout_prob', default: 0 },
    seq_classif_dropout: { name: 'classifier_dropout_prob', default: 0.1 },
  },
  required: absolutePositions,
  written: { bos_token_id: 2, eos_token_id: 3 },
  sharesParameters: true,
  wordEmbeddings: 'albert.embeddings.word_embeddings.weight',
  classifier: 'classifier',
  hidden: { name: 'albert.pooler', shift: 0 },
  maskedLm,
  loraTargetModules: ['query', 'value'],

  encode(operations, config, output) {
    const { dim, embedding_size: width, n_layers: layers, num_hidden_groups: groups } = config;
    const embedded = bertEmbeddings(operations, config, 'albert', width); // [tokens, width]
    const widen = dense(operations, 'albert.encoder.embedding_hidden_mapping_in', dim, width);
    let x = operations.linear(embedded, widen); // [tokens, dim]
    for (let i = 0; i < layers; i++) {
      const layer = `albert.encoder.albert_layer_groups.${Math.floor((i * groups) / layers)}.albert_layers.0`;
      // Unlike BERT, it has no dropout after the feed-forward block.
      x = postNormLayer(operations, config, x, layer, names, outputOfLayer(i, config, output), { outerRate: 0 });
    }
    return x;
  },

  classify(operations, config, classes) {
    const { dim } = config;
    const first = this.encode(operations, config, 'cls'); // [batch, dim]
    const pooled = operations.linear(first, dense(operations, 'albert.pooler', dim, dim), true); // [batch, dim]
    const dropped = operations.dropout(operations.activation(pooled, 'tanh'), config.seq_classif_dropout);
    return operations.linear(dropped, dense(operations, 'classifier', classes, dim), true); // [batch, classes]
  },

  predictTokens(operations, config, x) {
    return maskedLmLogits(operations, config, x, this.wordEmbeddings, maskedLm, {
      width: config.embedding_size,
      activation: config.activation,
    });
  },
};
