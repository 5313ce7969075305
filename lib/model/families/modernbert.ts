/**
 * ModernBERT (Warner et al., 2024, arXiv:2412.13663): rotary positions, layer norms before the blocks, gated feed-forward
 * blocks, no biases, and attention that is limited to near tokens in most layers. Parity with ModernBertModel,
 * ModernBertForSequenceClassification and ModernBertForMaskedLM of `transformers`.
 */
import { dense, type Operations } from '../operations.js';
import { ModelFormatError } from '../../errors.js';
import type { EncoderConfig, Family } from './family.js';
import { outputOfLayer } from './post-norm-layer.js';

interface ModernBertConfig extends EncoderConfig {
  /** Every n-th layer, from the first one, attends to all tokens. */
  global_attn_every_n_layers: number;
  /** Number of tokens that the other layers attend to. */
  local_attention: number;
  /** Base of the rotation in layers that attend to all tokens. */
  global_rope_theta: number;
  /** Base of the rotation in the other layers. */
  local_rope_theta: number;
  /** Dropout rate of embeddings. */
  embedding_dropout: number;
  /** Input of the classifier: the first token, or the mean of all tokens. */
  classifier_pooling: 'cls' | 'mean';
}

/** A layer norm without a shift. */
const normOf = <Value>(operations: Operations<Value>, name: string, { dim, layer_norm_eps }: ModernBertConfig) => ({
  scale: operations.parameter(`${name}.weight`, [dim]),
  epsilon: layer_norm_eps,
});

/** The head before the classifier and the vocabulary: [n, dim] -> [n, dim]. */
function head<Value>(operations: Operations<Value>, config: ModernBertConfig, x: Value, exact: boolean): Value {
  const { dim } = config;
  const weight = operations.parameter('head.dense.weight', [dim, dim]);
  const hidden = operations.activation(operations.linear(x, { weight }, exact), 'gelu');
  return operations.layerNorm(hidden, normOf(operations, 'head.norm', config));
}

/** Entries of newer files, which list the type of each layer and its rotation. */
interface LayerTypes {
  layer_types?: string[];
  rope_parameters?: Record<string, { rope_type?: string; rope_theta?: number } | undefined>;
}

export const modernbert: Family<ModernBertConfig> = {
  architecture: 'ModernBert',
  prefix: 'model',
  fields: {
    activation: { name: 'hidden_activation', default: 'gelu', supported: ['gelu'] },
    dim: { name: 'hidden_size', default: 768 },
    hidden_dim: { name: 'intermediate_size', default: 1152 },
    n_layers: { name: 'num_hidden_layers', default: 22 },
    n_heads: { name: 'num_attention_heads', default: 12 },
    vocab_size: { name: 'vocab_size', default: 50368 },
    max_position_embeddings: { name: 'max_position_embeddings', default: 8192 },
    type_vocab_size: { name: undefined, default: 0 },
    layer_norm_eps: { name: 'norm_eps', default: 1e-5 },
    dropout: { name: 'mlp_dropout', default: 0 },
    attention_dropout: { name: 'attention_dropout', default: 0 },
    embedding_dropout: { name: 'embedding_dropout', default: 0 },
    seq_classif_dropout: { name: 'classifier_dropout', default: 0 },
    classifier_pooling: { name: 'classifier_pooling', default: 'cls', supported: ['cls', 'mean'] },
    global_attn_every_n_layers: { name: 'global_attn_every_n_layers', default: 3 },
    local_attention: { name: 'local_attention', default: 128 },
    global_rope_theta: { name: 'global_rope_theta', default: 160000 },
    local_rope_theta: { name: 'local_rope_theta', default: 10000 },
    initializer_range: { name: 'initializer_range', default: 0.02 },
    pad_token_id: { name: 'pad_token_id', default: 50283 },
  },
  required: {
    classifier_activation: { value: 'gelu', absent: 'gelu' },
    norm_bias: { value: false, absent: false },
    attention_bias: { value: false, absent: false },
    mlp_bias: { value: false, absent: false },
    classifier_bias: { value: false, absent: false },
    decoder_bias: { value: true, absent: true },
  },
  derive(config, json) {
    const { layer_types: types, rope_parameters: rotations = {} } = json as LayerTypes;
    const unsupported = (name: string, value: unknown) =>
      new ModelFormatError(
        'MODEL_CONFIG_UNSUPPORTED',
        `config.json has the ${name} ${JSON.stringify(value)}, which is not supported. Supported are the layers of the published models, with plain rotations.`,
        { name, value },
      );
    if (types) {
      const second = types.indexOf('full_attention', 1);
      const every = second === -1 ? types.length : second;
      if (types.some((type, i) => type !== (i % every === 0 ? 'full_attention' : 'sliding_attention')))
        throw unsupported('layer_types', types);
      config.global_attn_every_n_layers = every;
    }
    for (const [type, rotation] of Object.entries(rotations)) {
      if ((rotation?.rope_type ?? 'default') !== 'default') throw unsupported('rope_parameters', rotations);
      if (rotation?.rope_theta !== undefined)
        config[type === 'full_attention' ? 'global_rope_theta' : 'local_rope_theta'] = rotation.rope_theta;
    }
  },
  wordEmbeddings: 'model.embeddings.tok_embeddings.weight',
  classifier: 'classifier',
  meanPooling: { classifier_pooling: 'mean' },
  maskedLm: { transform: 'head.dense', bias: 'decoder.bias', decoder: 'decoder.weight' },
  loraTargetModules: ['Wqkv'],

  encode(operations, config, output) {
    const { dim, hidden_dim: hidden, n_heads: heads, vocab_size: vocabulary } = config;
    const words = operations.tokenEmbedding(operations.parameter(this.wordEmbeddings, [vocabulary, dim])); // [tokens, dim]
    const embedded = operations.layerNorm(words, normOf(operations, 'model.embeddings.norm', config));
    let x = operations.dropout(embedded, config.embedding_dropout); // [tokens, dim]
    for (let i = 0; i < config.n_layers; i++) {
      const layer = `model.layers.${i}`;
      const isFirst = outputOfLayer(i, config, output) === 'cls';
      // The embeddings are normalized already.
      const normalized = i === 0 ? x : operations.layerNorm(x, normOf(operations, `${layer}.attn_norm`, config));
      const isGlobal = i % config.global_attn_every_n_layers === 0;
      const attended = operations.attention(
        normalized,
        isFirst ? operations.firstTokens(normalized) : normalized,
        { joint: operations.parameter(`${layer}.attn.Wqkv.weight`, [3 * dim, dim]) },
        operations.parameter(`${layer}.attn.Wo.weight`, [dim, dim]),
        {
          heads,
          rate: config.attention_dropout,
          queries: isFirst ? 'first' : 'all',
          rotaryBase: isGlobal ? config.global_rope_theta : config.local_rope_theta,
          ...(!isGlobal && { window: Math.floor(config.local_attention / 2) }),
        },
      ); // [queries, dim]
      x = operations.residual(isFirst ? operations.firstTokens(x) : x, attended, config.attention_dropout);
      const fed = operations.gatedFeedForward(
        operations.layerNorm(x, normOf(operations, `${layer}.mlp_norm`, config)),
        operations.parameter(`${layer}.mlp.Wi.weight`, [2 * hidden, dim]),
        operations.parameter(`${layer}.mlp.Wo.weight`, [dim, hidden]),
        config.dropout,
      ); // [queries, dim]
      x = operations.residual(x, fed, 0);
    }
    return operations.layerNorm(x, normOf(operations, 'model.final_norm', config));
  },

  classify(operations, config, classes) {
    const pooled =
      config.classifier_pooling === 'cls'
        ? this.encode(operations, config, 'cls')
        : operations.meanOfTokens(this.encode(operations, config, 'all')); // [batch, dim]
    const dropped = operations.dropout(head(operations, config, pooled, true), config.seq_classif_dropout);
    return operations.linear(dropped, dense(operations, 'classifier', classes, config.dim), true); // [batch, classes]
  },

  predictTokens(operations, config, x) {
    const { dim, vocab_size: vocabulary } = config;
    return operations.linear(head(operations, config, x, false), {
      weight: operations.parameter(this.wordEmbeddings, [vocabulary, dim]),
      bias: operations.parameter('decoder.bias', [vocabulary]),
    }); // [n, vocabulary]
  },
};
