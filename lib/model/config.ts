/** The shape of a DistilBERT, in Hugging Face's words: what its config.json says, with the defaults of distilbert-base-uncased. */

export interface DistilBertConfig {
  /** Width of a token's vector. */
  dim: number;
  /** Width inside the feed-forward block. */
  hidden_dim: number;
  n_layers: number;
  n_heads: number;
  vocab_size: number;
  /** The longest text, in tokens. */
  max_position_embeddings: number;
  /** Share of hidden numbers dropped while training. */
  dropout: number;
  attention_dropout: number;
  /** Dropped before the classifier. */
  seq_classif_dropout: number;
  /** Standard deviation of fresh weights. */
  initializer_range: number;
  pad_token_id: number;
  id2label: Record<string, string>;
}

const defaults: DistilBertConfig = {
  dim: 768,
  hidden_dim: 3072,
  n_layers: 6,
  n_heads: 12,
  vocab_size: 30522,
  max_position_embeddings: 512,
  dropout: 0.1,
  attention_dropout: 0.1,
  seq_classif_dropout: 0.2,
  initializer_range: 0.02,
  pad_token_id: 0,
  id2label: { 0: 'negative', 1: 'positive' },
};

/** A model folder that cannot be used; the message says why and what would. */
export class ModelFormatError extends Error {
  override name = 'ModelFormatError';
}

/**
 * Reads a parsed config.json.
 * @param json what the file holds
 * @param where named in errors
 * @throws ModelFormatError for another kind of model, an activation other than GELU, or sizes that do not fit together
 */
export function parseConfig(json: Record<string, unknown>, where = 'config.json'): DistilBertConfig {
  const kind = json['model_type'];
  if (kind !== undefined && kind !== 'distilbert')
    throw new ModelFormatError(`${where} is of a ${JSON.stringify(kind)} model; this loads 'distilbert'.`);
  const activation = json['activation'] ?? 'gelu';
  if (activation !== 'gelu')
    throw new ModelFormatError(`${where} asks for the activation ${JSON.stringify(activation)}; only 'gelu' is there.`);
  const config: DistilBertConfig = { ...defaults };
  for (const name of Object.keys(defaults) as (keyof DistilBertConfig)[])
    if (json[name] !== undefined && json[name] !== null) Object.assign(config, { [name]: json[name] });
  for (const name of ['dim', 'hidden_dim', 'n_layers', 'n_heads', 'vocab_size', 'max_position_embeddings'] as const)
    if (!Number.isInteger(config[name]) || config[name] < 1)
      throw new ModelFormatError(`${where} has ${name} ${String(config[name])}; it must be a whole number above 0.`);
  if (config.dim % config.n_heads !== 0)
    throw new ModelFormatError(
      `${where} has dim ${config.dim}, which its ${config.n_heads} heads (n_heads) do not divide.`,
    );
  return config;
}

/** The class names in order of their numbers. */
export const labelNames = (config: DistilBertConfig): string[] =>
  Object.keys(config.id2label)
    .sort((a, b) => Number(a) - Number(b))
    .map((id) => config.id2label[id]!);

/** What config.json holds for a sequence classifier of this shape, as `transformers` reads it. */
export function configJson(config: DistilBertConfig): Record<string, unknown> {
  const names = labelNames(config);
  return {
    architectures: ['DistilBertForSequenceClassification'],
    model_type: 'distilbert',
    activation: 'gelu',
    ...config,
    label2id: Object.fromEntries(names.map((name, id) => [name, id])),
    problem_type: 'single_label_classification',
    qa_dropout: 0.1,
    sinusoidal_pos_embds: false,
    tie_weights_: true,
    dtype: 'float32',
  };
}
