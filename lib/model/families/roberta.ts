/**
 * RoBERTa (Liu et al., 2019, arXiv:1907.11692) and XLM-R (Conneau et al., 2020, arXiv:1911.02116): BERT's encoder, trained
 * longer, on other texts and vocabularies. Parity with RobertaModel, RobertaForSequenceClassification, RobertaForMaskedLM
 * and their XLMRoberta counterparts of `transformers`.
 */
import { dense, type Activation, type Operations } from '../operations.js';
import {
  absolutePositions,
  bertEmbeddings,
  bertFields,
  bertLayer,
  bertLayers,
  deriveClassifierDropout,
} from './bert.js';
import type { EncoderConfig, Family, MaskedLmHead } from './family.js';
import { maskedLmLogits } from './masked-lm-head.js';

/**
 * RoBERTa's classification head: a dense layer, an activation, and the classifier, each after dropout.
 * @param first hidden states of the first tokens, [batch, dim]
 * @returns [batch, classes]
 */
export function twoLayerClassifier<Value>(
  operations: Operations<Value>,
  { dim, seq_classif_dropout: rate }: EncoderConfig,
  first: Value,
  classes: number,
  activation: Activation,
): Value {
  const hidden = operations.linear(
    operations.dropout(first, rate),
    dense(operations, 'classifier.dense', dim, dim),
    true,
  ); // [batch, dim]
  const dropped = operations.dropout(operations.activation(hidden, activation), rate);
  return operations.linear(dropped, dense(operations, 'classifier.out_proj', classes, dim), true);
}

const maskedLm: MaskedLmHead = {
  transform: 'lm_head.dense',
  norm: 'lm_head.layer_norm',
  bias: 'lm_head.bias',
  decoder: 'lm_head.decoder.',
};

export const roberta: Family = {
  architecture: 'Roberta',
  prefix: 'roberta',
  fields: {
    ...bertFields,
    vocab_size: { name: 'vocab_size', default: 50265 },
    pad_token_id: { name: 'pad_token_id', default: 1 },
  },
  required: absolutePositions,
  // RoBERTa's token ids, which are also the defaults in transformers.
  written: { bos_token_id: 0, eos_token_id: 2 },
  derive: deriveClassifierDropout,
  // Positions are counted from the id of the padding token.
  firstPosition: ({ pad_token_id: pad }) => pad + 1,
  wordEmbeddings: 'roberta.embeddings.word_embeddings.weight',
  classifier: 'classifier.out_proj',
  hidden: { name: 'classifier.dense', shift: 0 },
  layers: { prefix: 'roberta.encoder.layer', names: bertLayer },
  maskedLm,
  loraTargetModules: ['query', 'value'],

  encode(operations, config, output) {
    const embedded = bertEmbeddings(operations, config, 'roberta', config.dim, this.firstPosition!(config)); // [tokens, dim]
    return bertLayers(operations, config, 'roberta', embedded, output);
  },

  classify(operations, config, classes) {
    return twoLayerClassifier(operations, config, this.encode(operations, config, 'cls'), classes, 'tanh');
  },

  predictTokens(operations, config, x) {
    return maskedLmLogits(operations, config, x, this.wordEmbeddings, maskedLm);
  },
};

export const xlmRoberta: Family = {
  ...roberta,
  architecture: 'XLMRoberta',
  fields: { ...roberta.fields, vocab_size: { name: 'vocab_size', default: 30522 } },
};
