/**
 * What classifiers and masked-language models have in common: a pretrained encoder with a head, its parameters on the
 * device, and its tokenizer.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ModelFormatError } from '../errors.js';
import type { DownloadOptions } from '../hub/download.js';
import type { Review } from '../reviews/review.js';
import type { ProblemType } from '../settings/problem-type.js';
import type { ResourceVariable } from '../tensorflow/variables.js';
import {
  createTokenizer,
  readTokenizer,
  writeTokenizer,
  type Tokenizer,
  type TokenizerFiles,
} from '../tokenizer/tokenizer.js';
import type { EncodedReviews } from './batch.js';
import { maxTokens, type EncoderConfig } from './config.js';
import { encodeReviews } from './encode-reviews.js';
import { partOf } from './families.js';
import { parameterValues, type Engine, type EngineOptions, type Model } from './model.js';
import type { Layers } from './layers.js';
import { writeSafetensors } from './safetensors.js';

/** Options of all models. */
export interface LoadOptions extends EngineOptions, DownloadOptions {
  /** Seed of randomly initialized parameters. @default 42 */
  seed?: number;
  /** Implementation of the layers. @default the fastest one here */
  layers?: Layers;
  /** Maximum sequence length that will be used, in tokens; `notes` reports if the model accepts less. */
  maxLength?: number;
}

/** The parts of a model. */
export interface ModelParts {
  config: EncoderConfig;
  parameters: Map<string, ResourceVariable>;
  engine: Engine;
  /** Why there is no tokenizer, or its files. */
  tokenizerFiles: TokenizerFiles | ModelFormatError;
  /** Names of the randomly initialized parameters. */
  initialized: string[];
  /** What loading ignored or initialized, a sentence each. */
  notes: string[];
}

/** The files of a folder's tokenizer, or the error if there is none: token ids can be evaluated without it. */
export function tokenizerFilesOf(folder: string): TokenizerFiles | ModelFormatError {
  try {
    return readTokenizer(folder);
  } catch (error) {
    if (error instanceof ModelFormatError) return error;
    throw error;
  }
}

/** A row of `summary`. */
export interface ParameterCount {
  /** `embeddings`, `layer 1`, `norm` (after the last layer), `head` or `all`. */
  part: string;
  parameters: number;
  /** Percentage of all parameters. */
  share: string;
}

/** A model with a head and a tokenizer. */
export abstract class PretrainedModel implements Model {
  readonly config: EncoderConfig;
  /** By Hugging Face's names, in the order of the file. */
  readonly parameters: Map<string, ResourceVariable>;
  readonly engine: Engine;
  /** Names of the randomly initialized parameters. */
  readonly initialized: string[];
  /** What loading ignored or initialized, a sentence each. */
  readonly notes: string[];
  readonly #tokenizerFiles: TokenizerFiles | ModelFormatError;
  #tokenizer: Tokenizer | undefined;

  constructor({ config, parameters, engine, tokenizerFiles, initialized, notes }: ModelParts) {
    this.config = config;
    this.parameters = parameters;
    this.engine = engine;
    this.initialized = initialized;
    this.notes = notes;
    this.#tokenizerFiles = tokenizerFiles;
  }

  /** Name of the dense layer by which a stored head is recognized. */
  protected abstract readonly headLayer: string;

  /** The head is randomly initialized. */
  get freshHead(): boolean {
    return this.initialized.includes(`${this.headLayer}.weight`);
  }

  /** The longest text that the model accepts, in tokens. */
  get maxTokens(): number {
    return maxTokens(this.config);
  }

  /**
   * The tokenizer's files, parsed.
   * @throws ModelFormatError for a model without a tokenizer
   */
  get tokenizerFiles(): TokenizerFiles {
    if (this.#tokenizerFiles instanceof ModelFormatError) throw this.#tokenizerFiles;
    return this.#tokenizerFiles;
  }

  /**
   * The tokenizer, which truncates texts to what the model accepts.
   * @throws ModelFormatError for a model without one
   */
  get tokenizer(): Tokenizer {
    return (this.#tokenizer ??= createTokenizer(this.tokenizerFiles, this.maxTokens));
  }

  /** What the labels of reviews are; a masked-language model ignores them. */
  protected get problemType(): ProblemType {
    return 'single_label_classification';
  }

  /**
   * Tokenizes reviews; a review with a `pair` as one sequence of two texts.
   * @param reviews texts with class numbers, or for regression with numbers; for multi-label classification with `labels`
   * @param maxLength maximum sequence length in tokens. @default 512
   * @throws ArgumentError for a label that is not an integer, for regression not a finite number, for multi-label classification not in `labels`
   */
  encode(reviews: Review[], maxLength = 512): EncodedReviews {
    return encodeReviews(reviews, this.tokenizer, this.config, maxLength, this.problemType);
  }

  /** Number of parameters by part: embeddings, each layer, head, and all. */
  summary(): ParameterCount[] {
    const counts = new Map<string, number>();
    for (const [name, { size }] of this.parameters) {
      const place = partOf(name);
      const part = typeof place === 'number' ? `layer ${place + 1}` : place;
      counts.set(part, (counts.get(part) ?? 0) + size);
    }
    const all = [...counts.values()].reduce((a, b) => a + b, 0);
    return [...counts, ['all', all] as const].map(([part, parameters]) => ({
      part,
      parameters,
      share: `${((100 * parameters) / all).toFixed(1)} %`,
    }));
  }

  /** The content of config.json. */
  protected abstract configJson(): Record<string, unknown>;

  /**
   * Saves the model in Hugging Face format: config.json, model.safetensors and the tokenizer. transformers,
   * transformers.js and `load` read it.
   * @param folder is created if necessary
   */
  save(folder: string): void {
    fs.mkdirSync(folder, { recursive: true });
    writeTokenizer(this.tokenizerFiles, folder, this.maxTokens);
    fs.writeFileSync(path.join(folder, 'config.json'), `${JSON.stringify(this.configJson(), null, 2)}\n`);
    writeSafetensors(path.join(folder, 'model.safetensors'), parameterValues(this));
  }

  /** Frees the parameters' memory. */
  dispose(): void {
    this.parameters.forEach((parameter) => parameter.dispose());
  }
}
