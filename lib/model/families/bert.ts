/**
 * BERT (Devlin et al., 2018, arXiv:1810.04805). Parity with BertModel, BertForSequenceClassification and BertForMaskedLM
 * of `transformers`. RoBERTa and ELECTRA have its encoder, with other embeddings and heads.
 */
import { dense, norm, type Operations } from '../operations.js';
import {
  hasTokenTypes,
  type EncoderConfig,
  type Family,
  type Fields,
  type LayerNames,
  type MaskedLmHead,
} from './family.js';
import { maskedLmLogits } from './masked-lm-head.js';
import { outputOfLayer, postNormLayer } from './post-norm-layer.js';

/** The names of the parts of a layer. */
export const bertLayer: LayerNames = {
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  attentionOut: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  inner: 'intermediate.dense',
  outer: 'output.dense',
  outerNorm: 'output.LayerNorm',
};

/** The fields of BERT's configuration. */
export const bertFields: Fields<EncoderConfig> = {
  activation: { name: 'hidden_act', default: 'gelu', supported: ['gelu'] },
  dim: { name: 'hidden_size', default: 768 },
  hidden_dim: { name: 'intermediate_size', default: 3072 },
  n_layers: { name: 'num_hidden_layers', default: 12 },
  n_heads: { name: 'num_attention_heads', default: 12 },
  vocab_size: { name: 'vocab_size', default: 30522 },
  max_position_embeddings: { name: 'max_position_embeddings', default: 512 },
  type_vocab_size: { name: 'type_vocab_size', default: 2 },
  layer_norm_eps: { name: 'layer_norm_eps', default: 1e-12 },
  dropout: { name: 'hidden_dropout_prob', default: 0.1 },
  attention_dropout: { name: 'attention_probs_dropout_prob', default: 0.1 },
  seq_classif_dropout: { name: 'classifier_dropout', default: 0.1 },
  initializer_range: { name: 'initializer_range', default: 0.02 },
  pad_token_id: { name: 'pad_token_id', default: 0 },
};

/** Only embeddings of absolute positions are supported. */
export const absolutePositions = { position_embedding_type: { value: 'absolute', absent: 'absolute' } };

/** The dropout rate before the classifier defaults to that of hidden states. */
export function deriveClassifierDropout(config: EncoderConfig, json: Record<string, unknown>): void {
  if (typeof json['classifier_dropout'] !== 'number') config.seq_classif_dropout = config.dropout;
}

/**
 * Embeddings of tokens, positions and token types, and their layer norm.
 * @param width of the embeddings
 * @param first position of the first token
 * @returns [tokens, width]
 */
export function bertEmbeddings<Value>(
  operations: Operations<Value>,
  config: EncoderConfig,
  prefix: string,
  width: number,
  first = 0,
): Value {
  const { vocab_size: vocabulary, max_position_embeddings: positions, type_vocab_size: types } = config;
  const table = (name: string, rows: number) =>
    operations.parameter(`${prefix}.embeddings.${name}_embeddings.weight`, [rows, width]);
  const words = operations.tokenEmbedding(table('word', vocabulary)); // [tokens, width]
  const positioned = operations.positionEmbedding(table('position', positions), first); // [tokens, width]
  const typeTable = types > 0 ? table('token_type', types) : undefined;
  const pairTypes = typeTable && hasTokenTypes(config) ? operations.tokenTypeEmbedding(typeTable) : undefined; // [tokens, width]
  const summed = pairTypes === undefined ? positioned : operations.residual(positioned, pairTypes, 0); // [tokens, width]
  // All tokens of a single text have type 0, whose row is added as a bias.
  const type = typeTable && pairTypes === undefined ? operations.row(typeTable, 0) : undefined; // [width]
  const embeddingNorm = norm(operations, `${prefix}.embeddings.LayerNorm`, width, config.layer_norm_eps);
  const x = operations.residualLayerNorm(words, summed, type, embeddingNorm, 0);
  return operations.dropout(x, config.dropout);
}

/**
 * BERT's layers.
 * @param x [tokens, dim]
 * @returns [tokens, dim], or [batch, dim] for `cls`
 */
export function bertLayers<Value>(
  operations: Operations<Value>,
  config: EncoderConfig,
  prefix: string,
  x: Value,
  output: 'all' | 'cls',
): Value {
  for (let i = 0; i < config.n_layers; i++)
    x = postNormLayer(
      operations,
      config,
      x,
      `${prefix}.encoder.layer.${i}`,
      bertLayer,
      outputOfLayer(i, config, output),
    );
  return x;
}

const maskedLm: MaskedLmHead = {
  transform: 'cls.predictions.transform.dense',
  norm: 'cls.predictions.transform.LayerNorm',
  bias: 'cls.predictions.bias',
  decoder: 'cls.predictions.decoder.',
};

export const bert: Family = {
  architecture: 'Bert',
  prefix: 'bert',
  fields: bertFields,
  required: absolutePositions,
  derive: deriveClassifierDropout,
  wordEmbeddings: 'bert.embeddings.word_embeddings.weight',
  classifier: 'classifier',
  hidden: { name: 'bert.pooler.dense', shift: 0 },
  layers: { prefix: 'bert.encoder.layer', names: bertLayer },
  maskedLm,
  loraTargetModules: ['query', 'value'],

  encode(operations, config, output) {
    const embedded = bertEmbeddings(operations, config, 'bert', config.dim); // [tokens, dim]
    return bertLayers(operations, config, 'bert', embedded, output);
  },

  classify(operations, config, classes) {
    const { dim } = config;
    const first = this.encode(operations, config, 'cls'); // [batch, dim]
    const pooled = operations.linear(first, dense(operations, 'bert.pooler.dense', dim, dim), true); // [batch, dim]
    const dropped = operations.dropout(operations.activation(pooled, 'tanh'), config.seq_classif_dropout);
    return operations.linear(dropped, dense(operations, 'classifier', classes, dim), true); // [batch, classes]
  },

  predictTokens(operations, config, x) {
    return maskedLmLogits(operations, config, x, this.wordEmbeddings, maskedLm);
  },
};
