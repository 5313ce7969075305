/**
 * The configuration of an encoder, with DistilBERT's field names for all families: the values of config.json, with the
 * defaults of the family's base model. BERT and RoBERTa add token types and a pooler to DistilBERT and have other sizes
 * (Devlin et al., 2018, arXiv:1810.04805; Liu et al., 2019, arXiv:1907.11692).
 */
import fs from 'node:fs';
import path from 'node:path';
import { ModelFormatError } from '../errors.js';
import { readModelJson } from '../hub/model-json.js';

/** Supported values of `model_type` in config.json. */
export type ModelType = 'distilbert' | 'bert' | 'roberta' | 'xlm-roberta';

/** The sizes and class names of a model. Fields have DistilBERT's names, also for BERT and RoBERTa. */
export interface EncoderConfig {
  model_type: ModelType;
  /** Width of the hidden state of a token. */
  dim: number;
  /** Inner width of the feed-forward block. */
  hidden_dim: number;
  n_layers: number;
  n_heads: number;
  vocab_size: number;
  /** Number of rows of the position embedding, see maxTokens. */
  max_position_embeddings: number;
  /** Number of rows of the token type embedding; 0 if there is none, as in DistilBERT. */
  type_vocab_size: number;
  /** Epsilon of layer norms, which is added to the variance. */
  layer_norm_eps: number;
  /** Dropout rate of hidden states. */
  dropout: number;
  /** Dropout rate of attention weights. */
  attention_dropout: number;
  /** Dropout rate before the classifier. */
  seq_classif_dropout: number;
  /** Standard deviation of randomly initialized weights. */
  initializer_range: number;
  pad_token_id: number;
  /** Class names by class number. */
  id2label: Record<string, string>;
}

const distilbertDefaults: EncoderConfig = {
  model_type: 'distilbert',
  dim: 768,
  hidden_dim: 3072,
  n_layers: 6,
  n_heads: 12,
  vocab_size: 30522,
  max_position_embeddings: 512,
  type_vocab_size: 0,
  layer_norm_eps: 1e-12,
  dropout: 0.1,
  attention_dropout: 0.1,
  seq_classif_dropout: 0.2,
  initializer_range: 0.02,
  pad_token_id: 0,
  id2label: { 0: 'negative', 1: 'positive' },
};

const bertDefaults: EncoderConfig = {
  ...distilbertDefaults,
  model_type: 'bert',
  n_layers: 12,
  type_vocab_size: 2,
  seq_classif_dropout: 0.1,
};

const robertaDefaults: EncoderConfig = { ...bertDefaults, vocab_size: 50265, pad_token_id: 1, layer_norm_eps: 1e-12 };

const familyDefaults: Record<ModelType, EncoderConfig> = {
  distilbert: distilbertDefaults,
  bert: bertDefaults,
  roberta: { ...robertaDefaults, model_type: 'roberta' },
  'xlm-roberta': { ...robertaDefaults, model_type: 'xlm-roberta', vocab_size: 30522 },
};

/** Field names of BERT and RoBERTa, where they differ. */
const bertNames: Partial<Record<keyof EncoderConfig, string>> = {
  dim: 'hidden_size',
  hidden_dim: 'intermediate_size',
  n_layers: 'num_hidden_layers',
  n_heads: 'num_attention_heads',
  dropout: 'hidden_dropout_prob',
  attention_dropout: 'attention_probs_dropout_prob',
  seq_classif_dropout: 'classifier_dropout',
};

/**
 * Converts a parsed config.json.
 * @param json content of the file
 * @param file file name for error messages
 * @throws ModelFormatError for an unsupported model type, activation or position embedding, or inconsistent sizes
 */
export function parseConfig(json: Record<string, unknown>, file = 'config.json'): EncoderConfig {
  const kind = (json['model_type'] ?? 'distilbert') as ModelType;
  if (!Object.hasOwn(familyDefaults, kind))
    throw new ModelFormatError(
      'MODEL_TYPE_UNSUPPORTED',
      `${file} has the model type ${JSON.stringify(kind)}, which is not supported. Use a model of one of these types: ${Object.keys(familyDefaults).join(', ')}.`,
      { file, modelType: kind },
    );
  const isDistilbert = kind === 'distilbert';
  const activation = json[isDistilbert ? 'activation' : 'hidden_act'] ?? 'gelu';
  if (activation !== 'gelu')
    throw new ModelFormatError(
      'MODEL_CONFIG_UNSUPPORTED',
      `${file} has the activation ${JSON.stringify(activation)}. Only 'gelu' is supported.`,
      { file, name: 'activation', value: activation },
    );
  const positions = json['position_embedding_type'] ?? 'absolute';
  if (positions !== 'absolute')
    throw new ModelFormatError(
      'MODEL_CONFIG_UNSUPPORTED',
      `${file} has the position_embedding_type ${JSON.stringify(positions)}. Only 'absolute' is supported.`,
      { file, name: 'position_embedding_type', value: positions },
    );
  const config: EncoderConfig = { ...familyDefaults[kind] };
  const nameOf = (name: keyof EncoderConfig) => (isDistilbert ? name : (bertNames[name] ?? name));
  for (const name of Object.keys(config) as (keyof EncoderConfig)[]) {
    const value = json[nameOf(name)];
    if (value !== undefined && value !== null) Object.assign(config, { [name]: value });
  }
  if (isDistilbert) Object.assign(config, { type_vocab_size: 0, layer_norm_eps: distilbertDefaults.layer_norm_eps });
  // In BERT the dropout rate before the classifier defaults to that of hidden states.
  else if (typeof json['classifier_dropout'] !== 'number') config.seq_classif_dropout = config.dropout;
  for (const name of ['dim', 'hidden_dim', 'n_layers', 'n_heads', 'vocab_size', 'max_position_embeddings'] as const)
    if (!Number.isInteger(config[name]) || config[name] < 1)
      throw new ModelFormatError(
        'MODEL_CONFIG_INVALID',
        `${file} has ${nameOf(name)} ${String(config[name])}. It must be a positive integer.`,
        { file, name: nameOf(name), value: config[name] },
      );
  if (config.dim % config.n_heads !== 0)
    throw new ModelFormatError(
      'MODEL_CONFIG_INVALID',
      `${file} has ${nameOf('dim')} ${config.dim}, which is not divisible by ${nameOf('n_heads')} ${config.n_heads}.`,
      { file, name: nameOf('dim'), value: config.dim },
    );
  return config;
}

/**
 * Reads config.json of a model folder.
 * @throws ModelFormatError if there is none, if it is damaged, and see parseConfig
 */
export function readModelConfig(folder: string): EncoderConfig {
  const file = path.join(folder, 'config.json');
  if (!fs.existsSync(file)) {
    const others = fs.existsSync(folder) ? fs.readdirSync(folder).join(', ') || 'no files' : 'no such folder';
    throw new ModelFormatError(
      'MODEL_NO_FILE',
      `${folder} has no config.json (it contains: ${others}). A Hugging Face model folder has config.json and model.safetensors.`,
      { folder, file: 'config.json' },
    );
  }
  return parseConfig(readModelJson(file), file);
}

/**
 * The position of the first token of a text. RoBERTa starts after the id of the padding token.
 * @param config configuration of the encoder
 */
export const firstPosition = ({ model_type: type, pad_token_id: pad }: EncoderConfig): number =>
  type === 'roberta' || type === 'xlm-roberta' ? pad + 1 : 0;

/** Maximum sequence length in tokens. */
export const maxTokens = (config: EncoderConfig): number => config.max_position_embeddings - firstPosition(config);

/** Class names in order of their numbers. */
export const labelNames = (config: EncoderConfig): string[] =>
  Object.keys(config.id2label)
    .sort((a, b) => Number(a) - Number(b))
    .map((id) => config.id2label[id]!);

const architectures: Record<ModelType, string> = {
  distilbert: 'DistilBert',
  bert: 'Bert',
  roberta: 'Roberta',
  'xlm-roberta': 'XLMRoberta',
};

/** The content of config.json for `transformers`, without the fields of a head. */
function configJson(config: EncoderConfig, head: string): Record<string, unknown> {
  const { model_type: type, type_vocab_size, layer_norm_eps, id2label: _, ...shape } = config;
  const common = { architectures: [`${architectures[type]}For${head}`], model_type: type, dtype: 'float32' };
  if (type === 'distilbert')
    return {
      ...common,
      activation: 'gelu',
      ...shape,
      qa_dropout: 0.1,
      sinusoidal_pos_embds: false,
      tie_weights_: true,
    };
  const renamed = Object.entries(shape).map(([name, value]) => [bertNames[name as keyof EncoderConfig] ?? name, value]);
  return {
    ...common,
    hidden_act: 'gelu',
    ...(Object.fromEntries(renamed) as object),
    type_vocab_size,
    layer_norm_eps,
    // RoBERTa's token ids, which are also the defaults in transformers.
    ...(type !== 'bert' && { bos_token_id: 0, eos_token_id: 2 }),
  };
}

/** Content of config.json for a sequence classifier. */
export const classifierConfigJson = (config: EncoderConfig): Record<string, unknown> => ({
  ...configJson(config, 'SequenceClassification'),
  id2label: config.id2label,
  label2id: Object.fromEntries(labelNames(config).map((name, id) => [name, id])),
  problem_type: 'single_label_classification',
});

/** Content of config.json for a masked-language model. */
export const maskedConfigJson = (config: EncoderConfig): Record<string, unknown> => configJson(config, 'MaskedLM');
