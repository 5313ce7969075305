/**
 * MPNet (Song et al., 2020, arXiv:2004.09297): BERT without token types, whose attention also has a learned bias for the
 * distance of two tokens, in logarithmic buckets as in T5 (Raffel et al., 2019, arXiv:1910.10683). All layers share it.
 * Parity with MPNetModel, MPNetForSequenceClassification and MPNetForMaskedLM of `transformers`.
 */
import { bertEmbeddings, bertFields } from './bert.js';
import type { EncoderConfig, Family, LayerNames, MaskedLmHead } from './family.js';
import { maskedLmLogits } from './masked-lm-head.js';
import { outputOfLayer, postNormLayer } from './post-norm-layer.js';
import { twoLayerClassifier } from './roberta.js';

interface MpnetConfig extends EncoderConfig {
  /** Number of rows of the table of biases. */
  relative_attention_num_buckets: number;
}

const names: LayerNames = {
  query: 'attention.attn.q',
  key: 'attention.attn.k',
  value: 'attention.attn.v',
  attentionOut: 'attention.attn.o',
  attentionNorm: 'attention.LayerNorm',
  inner: 'intermediate.dense',
  outer: 'output.dense',
  outerNorm: 'output.LayerNorm',
};

/** Position of the first token: MPNet counts from the id of the padding token, which is 1 in all models. */
const firstPosition = 2;

/** Buckets that are used, of which half are for keys before the query. `transformers` ignores the size of the table here. */
const buckets = 32;

/** Distance from which all tokens are in one bucket. */
const maxDistance = 128;

/** The bucket of a distance, key - query: one each for small ones, logarithmic for larger ones. */
function bucketOf(distance: number): number {
  const ofSign = buckets / 2;
  const exact = ofSign / 2;
  const length = Math.abs(distance);
  // As in transformers, in float32.
  const ratio = Math.fround(Math.log(Math.fround(length / exact)));
  const logarithmic =
    exact + Math.trunc(Math.fround(Math.fround(ratio / Math.log(maxDistance / exact)) * (ofSign - exact)));
  return (distance > 0 ? ofSign : 0) + (length < exact ? length : Math.min(logarithmic, ofSign - 1));
}

const maskedLm: MaskedLmHead = {
  transform: 'lm_head.dense',
  norm: 'lm_head.layer_norm',
  bias: 'lm_head.bias',
  decoder: 'lm_head.decoder.',
};

export const mpnet: Family<MpnetConfig> = {
  architecture: 'MPNet',
  prefix: 'mpnet',
  fields: {
    ...bertFields,
    relative_attention_num_buckets: { name: 'relative_attention_num_buckets', default: 32 },
    vocab_size: { name: 'vocab_size', default: 30527 },
    type_vocab_size: { name: undefined, default: 0 },
    // The head has the dropout rate of hidden states.
    seq_classif_dropout: { name: undefined, default: 0.1 },
    pad_token_id: { name: 'pad_token_id', default: 1 },
  },
  written: { bos_token_id: 0, eos_token_id: 2 },
  derive(config) {
    config.seq_classif_dropout = config.dropout;
  },
  firstPosition: () => firstPosition,
  wordEmbeddings: 'mpnet.embeddings.word_embeddings.weight',
  classifier: 'classifier.out_proj',
  hidden: { name: 'classifier.dense', shift: 0 },
  maskedLm,
  loraTargetModules: ['q', 'v'],

  encode(operations, config, output) {
    const { dim, n_heads: heads, max_position_embeddings: positions } = config;
    let x = bertEmbeddings(operations, config, 'mpnet', dim, firstPosition); // [tokens, dim]
    const relative = {
      buckets: Int32Array.from({ length: 2 * positions - 1 }, (_, i) => bucketOf(i - positions + 1)),
      bias: operations.parameter('mpnet.encoder.relative_attention_bias.weight', [
        config.relative_attention_num_buckets,
        heads,
      ]),
    };
    for (let i = 0; i < config.n_layers; i++) {
      const layer = `mpnet.encoder.layer.${i}`;
      x = postNormLayer(operations, config, x, layer, names, outputOfLayer(i, config, output), { relative });
    }
    return x;
  },

  classify(operations, config, classes) {
    return twoLayerClassifier(operations, config, this.encode(operations, config, 'cls'), classes, 'tanh');
  },

  predictTokens(operations, config, x) {
    return maskedLmLogits(operations, config, x, this.wordEmbeddings, maskedLm);
  },
};
