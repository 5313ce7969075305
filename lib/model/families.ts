/**
 * The names of the parts of encoder and heads in each model family. They are Hugging Face's names, so that weights are
 * loaded and saved without renaming.
 */
import type { ModelType } from './config.js';

export interface Family {
  /** Prefix of all names of the encoder. */
  prefix: string;
  /** Name that precedes the number of a layer. */
  layers: string;
  /** Names of the parts of a layer. */
  query: string;
  key: string;
  value: string;
  attentionOut: string;
  attentionNorm: string;
  inner: string;
  outer: string;
  outerNorm: string;
  /** The dense layer between the encoder and the classifier, and its activation. */
  dense: string;
  activation: 'relu' | 'tanh';
  /** Whether dropout is also applied before that dense layer. */
  dropsFirst: boolean;
  classifier: string;
  /** The masked-LM head: its dense layer, its layer norm and the bias of the vocabulary. */
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

/** The name of the word embeddings. */
export const wordEmbeddings = (type: ModelType): string => `${families[type].prefix}.embeddings.word_embeddings.weight`;

/** The number of the layer of a parameter; undefined if it belongs to no layer. */
export function layerOf(name: string): number | undefined {
  const number = /\.layer\.(\d+)\./.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** Whether a parameter belongs to the embeddings. */
export const isEmbedding = (name: string): boolean => name.includes('.embeddings.');
