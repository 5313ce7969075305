/**
 * A model family: everything that distinguishes its models, in one file per family. A family names the fields of its
 * config.json and writes its forward pass in the operations of operations.ts; its parameters are those that the forward
 * pass asks for.
 */
import type { ProblemType } from '../../settings/problem-type.js';
import type { Activation, Operations } from '../operations.js';

/** Supported values of `model_type` in config.json. */
export type ModelType =
  'distilbert' | 'bert' | 'roberta' | 'xlm-roberta' | 'electra' | 'albert' | 'mpnet' | 'deberta-v2' | 'modernbert';

/** The sizes and class names of a model. Fields have DistilBERT's names in all families. */
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
  /** Activation function of the feed-forward block. */
  activation: Activation;
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
  /** Class names by class number; of a regression the name of the number. */
  id2label: Record<string, string>;
  /** What the head predicts. */
  problem_type: ProblemType;
}

/** Whether a model distinguishes the two texts of a pair by token types. */
export const hasTokenTypes = ({ type_vocab_size: types }: EncoderConfig): boolean => types > 1;

/** How a field of a configuration is stored. */
export interface Field<Value> {
  /** Its name in config.json; undefined if it is not stored, since all models of the family have the default. */
  name: string | undefined;
  /** Its value if config.json has none: that of the configuration class in `transformers`. */
  default: Value;
  /** The supported values. @default all of the type */
  supported?: Value[];
}

/** The stored fields of a family's configuration; every model has `model_type`, `id2label` and `problem_type`. */
export type Fields<Config extends EncoderConfig> = {
  [Name in keyof Omit<Config, 'model_type' | 'id2label' | 'problem_type'>]-?: Field<Config[Name]>;
};

/** A value that config.json must have, since no other one is supported. */
export interface Requirement {
  value: unknown;
  /** What a missing value means in `transformers`. */
  absent: unknown;
}

/** The names of the head that predicts masked tokens, see masked-lm-head.ts. */
export interface MaskedLmHead {
  /** The dense layer. */
  transform: string;
  norm: string;
  /** The bias of the vocabulary. */
  bias: string;
  /** Prefix of parameters that some checkpoints store a second time: the word embedding and the bias. */
  decoder: string;
}

/** The names of the parts of a layer, see post-norm-layer.ts. */
export interface LayerNames {
  query: string;
  key: string;
  value: string;
  attentionOut: string;
  attentionNorm: string;
  inner: string;
  outer: string;
  outerNorm: string;
}

/** A model family. */
export interface Family<Config extends EncoderConfig = EncoderConfig> {
  /** Prefix of the names of its classes in `transformers`: `DistilBert`. */
  architecture: string;
  /** Prefix of the names of the encoder's parameters. */
  prefix: string;
  fields: Fields<Config>;
  /** Values of config.json that are required, by name. @default none */
  required?: Record<string, Requirement>;
  /** Further entries of config.json that are written. @default none */
  written?: Record<string, unknown>;
  /** Derives fields that depend on others. */
  derive?(config: Config, json: Record<string, unknown>): void;
  /** Some parameters are used more than once in a forward pass, so that their gradients are sums. @default false */
  sharesParameters?: boolean;
  /** The position of the first token of a text. @default 0 */
  firstPosition?(config: Config): number;
  /** Name of the word embedding. */
  wordEmbeddings: string;
  /** The dense layer of the head that has a row for each class. */
  classifier: string;
  /**
   * The dense layer of the head before the classifier. With the identity as weight and `shift` as bias its activation is
   * nearly linear for small values: exactly from -1 to 1 for ReLU (1), to rounding for GELU (8), to the third order for tanh
   * (0). @default none, or one without a bias
   */
  hidden?: { name: string; shift: number };
  /** The names of the layers, if one that averages the tokens can be appended, see pooling-layer.ts. @default it cannot */
  layers?: { prefix: string; names: LayerNames };
  /** The fields of the configuration with which the head averages the tokens. @default there are none */
  meanPooling?: Partial<Config>;
  maskedLm: Omit<MaskedLmHead, 'norm'>;
  /** The dense layers of attention to which LoRA is applied by default: queries and values, as in PEFT. */
  loraTargetModules: string[];
  /**
   * Computes hidden states.
   * @param output of all tokens, or of the first token ([CLS]) of each text, for which the last layer computes less
   * @returns [tokens, dim], or [batch, dim] for `cls`
   */
  encode<Value>(operations: Operations<Value>, config: Config, output: 'all' | 'cls'): Value;
  /**
   * Computes the logits of a sequence classifier.
   * @param classes number of classes
   * @returns [batch, classes]
   */
  classify<Value>(operations: Operations<Value>, config: Config, classes: number): Value;
  /**
   * Computes the logits of the vocabulary.
   * @param x hidden states, [n, dim]
   * @returns [n, vocabulary]
   */
  predictTokens<Value>(operations: Operations<Value>, config: Config, x: Value): Value;
}
