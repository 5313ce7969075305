/**
 * ELECTRA (Clark et al., 2020, arXiv:2003.10555): BERT's encoder, pretrained to detect replaced tokens. Small models have
 * narrower embeddings, which a dense layer widens. Parity with ElectraModel, ElectraForSequenceClassification and
 * ElectraForMaskedLM (of the generators) of `transformers`.
 */
import { dense } from '../operations.js';
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
import { twoLayerClassifier } from './roberta.js';

interface ElectraConfig extends EncoderConfig {
  /** Width of the embeddings. */
  embedding_size: number;
}

const maskedLm: MaskedLmHead = {
  transform: 'generator_predictions.dense',
  norm: 'generator_predictions.LayerNorm',
  bias: 'generator_lm_head.bias',
  decoder: 'generator_lm_head.weight',
};

export const electra: Family<ElectraConfig> = {
  architecture: 'Electra',
  prefix: 'electra',
  fields: {
    ...bertFields,
    embedding_size: { name: 'embedding_size', default: 128 },
    dim: { name: 'hidden_size', default: 256 },
    hidden_dim: { name: 'intermediate_size', default: 1024 },
    n_heads: { name: 'num_attention_heads', default: 4 },
  },
  required: absolutePositions,
  derive: deriveClassifierDropout,
  wordEmbeddings: 'electra.embeddings.word_embeddings.weight',
  classifier: 'classifier.out_proj',
  hidden: { name: 'classifier.dense', shift: 8 },
  layers: { prefix: 'electra.encoder.layer', names: bertLayer },
  maskedLm,
  loraTargetModules: ['query', 'value'],

  encode(operations, config, output) {
    const { dim, embedding_size: width } = config;
    const embedded = bertEmbeddings(operations, config, 'electra', width); // [tokens, width]
    const x =
      width === dim
        ? embedded
        : operations.linear(embedded, dense(operations, 'electra.embeddings_project', dim, width)); // [tokens, dim]
    return bertLayers(operations, config, 'electra', x, output);
  },

  classify(operations, config, classes) {
    return twoLayerClassifier(operations, config, this.encode(operations, config, 'cls'), classes, 'gelu');
  },

  predictTokens(operations, config, x) {
    return maskedLmLogits(operations, config, x, this.wordEmbeddings, maskedLm, {
      width: config.embedding_size,
    });
  },
};
