/**
 * Converts a BERT checkpoint to DistilBERT. DistilBERT has no token types. All tokens of a single text have type 0, so
 * this row of the type embedding is added to every position embedding; the sums are equal except for rounding. Setup
 * converts the embedded MiniLM to a DistilBERT folder in this way.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ModelFormatError } from '../errors.js';
import { classifierConfigJson, parseConfig } from './config.js';
import { readSafetensors, writeSafetensors, type StoredTensor } from './safetensors.js';

/** Names of the parts of a layer in BERT and in DistilBERT. */
const layerParts: [string, string][] = [
  ['attention.self.query', 'attention.q_lin'],
  ['attention.self.key', 'attention.k_lin'],
  ['attention.self.value', 'attention.v_lin'],
  ['attention.output.dense', 'attention.out_lin'],
  ['attention.output.LayerNorm', 'sa_layer_norm'],
  ['intermediate.dense', 'ffn.lin1'],
  ['output.dense', 'ffn.lin2'],
  ['output.LayerNorm', 'output_layer_norm'],
];

/**
 * Converts a BERT folder: writes config.json, model.safetensors, tokenizer.json and tokenizer_config.json to `target`.
 * @throws ModelFormatError if the source is not a BERT model or lacks a weight
 */
export function convertBertFolder(source: string, target: string): void {
  const json = JSON.parse(fs.readFileSync(path.join(source, 'config.json'), 'utf8')) as Record<string, unknown>;
  if (json['model_type'] !== 'bert')
    throw new ModelFormatError(
      'MODEL_TYPE_UNSUPPORTED',
      `${source} has the model type '${String(json['model_type'])}'. Only 'bert' can be converted.`,
      { file: source, modelType: json['model_type'] },
    );
  const config = parseConfig({
    dim: json['hidden_size'],
    hidden_dim: json['intermediate_size'],
    n_layers: json['num_hidden_layers'],
    n_heads: json['num_attention_heads'],
    vocab_size: json['vocab_size'],
    max_position_embeddings: json['max_position_embeddings'],
    dropout: json['hidden_dropout_prob'],
    attention_dropout: json['attention_probs_dropout_prob'],
    initializer_range: json['initializer_range'],
    pad_token_id: json['pad_token_id'],
  });
  const stored = readSafetensors(path.join(source, 'model.safetensors'));
  const take = (name: string): StoredTensor => {
    const tensor = stored.get(name) ?? stored.get(`bert.${name}`);
    if (!tensor)
      throw new ModelFormatError('MODEL_NO_WEIGHTS', `${source} does not contain the weight ${name}.`, {
        file: source,
        names: [name],
      });
    return tensor;
  };
  const positions = take('embeddings.position_embeddings.weight');
  const typeZero = take('embeddings.token_type_embeddings.weight').data.subarray(0, config.dim);
  const weights = new Map<string, StoredTensor>([
    ['distilbert.embeddings.word_embeddings.weight', take('embeddings.word_embeddings.weight')],
    [
      'distilbert.embeddings.position_embeddings.weight',
      { shape: positions.shape, data: positions.data.map((value, i) => value + typeZero[i % config.dim]!) },
    ],
  ]);
  for (const kind of ['weight', 'bias'])
    weights.set(`distilbert.embeddings.LayerNorm.${kind}`, take(`embeddings.LayerNorm.${kind}`));
  for (let layer = 0; layer < config.n_layers; layer++)
    for (const [bert, distilbert] of layerParts)
      for (const kind of ['weight', 'bias'])
        weights.set(
          `distilbert.transformer.layer.${layer}.${distilbert}.${kind}`,
          take(`encoder.layer.${layer}.${bert}.${kind}`),
        );

  const write = (name: string, value: unknown) =>
    fs.writeFileSync(path.join(target, name), `${JSON.stringify(value, null, 2)}\n`);
  const { id2label: _, label2id: __, problem_type: ___, ...shape } = classifierConfigJson(config);
  // A base model with the names of a model with a head: transformers finds the encoder by its prefix.
  write('config.json', { ...shape, architectures: ['DistilBertModel'] });
  const vocabulary = JSON.parse(fs.readFileSync(path.join(source, 'tokenizer.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  // Sentence-transformers stores its own padding and truncation; here the caller decides on both.
  fs.writeFileSync(
    path.join(target, 'tokenizer.json'),
    JSON.stringify({ ...vocabulary, truncation: null, padding: null }),
  );
  const tokenizer = JSON.parse(fs.readFileSync(path.join(source, 'tokenizer_config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  write('tokenizer_config.json', { ...tokenizer, name_or_path: undefined, tokenizer_class: 'DistilBertTokenizer' });
  writeSafetensors(path.join(target, 'model.safetensors'), weights);
}
