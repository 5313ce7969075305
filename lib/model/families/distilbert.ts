/**
 * DistilBERT (Sanh et al., 2019, arXiv:1910.01108): BERT with half of its layers, trained to predict what BERT predicts,
 * without token types and pooler. Parity with DistilBertModel, DistilBertForSequenceClassification and
 * DistilBertForMaskedLM of `transformers`. Its multilingual variant has another vocabulary only.
 */
import { dense, norm } from '../operations.js';
import type { Family, LayerNames, MaskedLmHead } from './family.js';
import { maskedLmLogits } from './masked-lm-head.js';
import { outputOfLayer, postNormLayer } from './post-norm-layer.js';

const names: LayerNames = {
  query: 'attention.q_lin',
  key: 'attention.k_lin',
  value: 'attention.v_lin',
  attentionOut: 'attention.out_lin',
  attentionNorm: 'sa_layer_norm',
  inner: 'ffn.lin1',
  outer: 'ffn.lin2',
  outerNorm: 'output_layer_norm',
};

const maskedLm: MaskedLmHead = {
  transform: 'vocab_transform',
  norm: 'vocab_layer_norm',
  bias: 'vocab_projector.bias',
  decoder: 'vocab_projector.weight',
};

export const distilbert: Family = {
  architecture: 'DistilBert',
  prefix: 'distilbert',
  fields: {
    activation: { name: 'activation', default: 'gelu', supported: ['gelu'] },
    dim: { name: 'dim', default: 768 },
    hidden_dim: { name: 'hidden_dim', default: 3072 },
    n_layers: { name: 'n_layers', default: 6 },
    n_heads: { name: 'n_heads', default: 12 },
    vocab_size: { name: 'vocab_size', default: 30522 },
    max_position_embeddings: { name: 'max_position_embeddings', default: 512 },
    type_vocab_size: { name: undefined, default: 0 },
    layer_norm_eps: { name: undefined, default: 1e-12 },
    dropout: { name: 'dropout', default: 0.1 },
    attention_dropout: { name: 'attention_dropout', default: 0.1 },
    seq_classif_dropout: { name: 'seq_classif_dropout', default: 0.2 },
    initializer_range: { name: 'initializer_range', default: 0.02 },
    pad_token_id: { name: 'pad_token_id', default: 0 },
  },
  written: { qa_dropout: 0.1, sinusoidal_pos_embds: false, tie_weights_: true },
  wordEmbeddings: 'distilbert.embeddings.word_embeddings.weight',
  classifier: 'classifier',
  hidden: { name: 'pre_classifier', shift: 1 },
  layers: { prefix: 'distilbert.transformer.layer', names },
  maskedLm,
  loraTargetModules: ['q_lin', 'v_lin'],

  encode(operations, config, output) {
    const { dim, vocab_size: vocabulary, max_position_embeddings: positions, layer_norm_eps: epsilon } = config;
    const table = (name: string, rows: number) =>
      operations.parameter(`distilbert.embeddings.${name}_embeddings.weight`, [rows, dim]);
    const words = operations.tokenEmbedding(table('word', vocabulary)); // [tokens, dim]
    const positioned = operations.positionEmbedding(table('position', positions), 0); // [tokens, dim]
    const embeddingNorm = norm(operations, 'distilbert.embeddings.LayerNorm', dim, epsilon);
    let x = operations.residualLayerNorm(words, positioned, undefined, embeddingNorm, 0);
    x = operations.dropout(x, config.dropout);
    for (let i = 0; i < config.n_layers; i++) {
      const layer = `distilbert.transformer.layer.${i}`;
      // Unlike BERT, it has no dropout after attention.
      x = postNormLayer(operations, config, x, layer, names, outputOfLayer(i, config, output), { attentionOutRate: 0 });
    }
    return x;
  },

  classify(operations, config, classes) {
    const { dim } = config;
    const first = this.encode(operations, config, 'cls'); // [batch, dim]
    const hidden = operations.linear(first, dense(operations, 'pre_classifier', dim, dim), true); // [batch, dim]
    const dropped = operations.dropout(operations.activation(hidden, 'relu'), config.seq_classif_dropout);
    return operations.linear(dropped, dense(operations, 'classifier', classes, dim), true); // [batch, classes]
  },

  predictTokens(operations, config, x) {
    return maskedLmLogits(operations, config, x, this.wordEmbeddings, maskedLm);
  },
};
