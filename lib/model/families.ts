/**
 * What differs between the families in names: of the encoder's parts and of the heads'. Names are Hugging Face's own, so
 * that weights are loaded and saved as they are.
 */
import type { ModelType } from './config.js';

export interface Family {
  /** In front of every name of the encoder. */
  prefix: string;
  /** In front of a layer's number. */
  layers: string;
  /** Names of a layer's parts. */
  query: string;
  key: string;
  value: string;
  attentionOut: string;
  attentionNorm: string;
  inner: string;
  outer: string;
  outerNorm: string;
  /** The dense layer between the encoder and the classifier, and what its numbers go through. */
  dense: string;
  activation: 'relu' | 'tanh';
  /** Dropout before that dense layer too. */
  dropsFirst: boolean;
  classifier: string;
  /** The masked-language model's head: its dense layer, its layer norm, and the words' biases. */
  transform: string;
  transformNorm: string;
  vocabularyBias: string;
}

const bertLayer = {
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  attentionOut: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  inner: 'intermediate.dense',
  outer: 'output.dense',
  outerNorm: 'output.LayerNorm',
};

const roberta: Family = {
  prefix: 'roberta',
  layers: 'encoder.layer',
  ...bertLayer,
  dense: 'classifier.dense',
  activation: 'tanh',
  dropsFirst: true,
  classifier: 'classifier.out_proj',
  transform: 'lm_head.dense',
  transformNorm: 'lm_head.layer_norm',
  vocabularyBias: 'lm_head.bias',
};

export const families: Record<ModelType, Family> = {
  distilbert: {
    prefix: 'distilbert',
    layers: 'transformer.layer',
    query: 'attention.q_lin',
    key: 'attention.k_lin',
    value: 'attention.v_lin',
    attentionOut: 'attention.out_lin',
    attentionNorm: 'sa_layer_norm',
    inner: 'ffn.lin1',
    outer: 'ffn.lin2',
    outerNorm: 'output_layer_norm',
    dense: 'pre_classifier',
    activation: 'relu',
    dropsFirst: false,
    classifier: 'classifier',
    transform: 'vocab_transform',
    transformNorm: 'vocab_layer_norm',
    vocabularyBias: 'vocab_projector.bias',
  },
  bert: {
    prefix: 'bert',
    layers: 'encoder.layer',
    ...bertLayer,
    dense: 'bert.pooler.dense',
    activation: 'tanh',
    dropsFirst: false,
    classifier: 'classifier',
    transform: 'cls.predictions.transform.dense',
    transformNorm: 'cls.predictions.transform.LayerNorm',
    vocabularyBias: 'cls.predictions.bias',
  },
  roberta,
  'xlm-roberta': roberta,
};

/** The name of the embedding of the vocabulary. */
export const wordEmbeddings = (type: ModelType): string => `${families[type].prefix}.embeddings.word_embeddings.weight`;

/** The number of the layer that a parameter belongs to, if it belongs to one. */
export function layerOf(name: string): number | undefined {
  const found = /\.layer\.(\d+)\./.exec(name)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Whether a parameter is of the embeddings. */
export const isEmbedding = (name: string): boolean => name.includes('.embeddings.');
