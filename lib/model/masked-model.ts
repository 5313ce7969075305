/** A masked-language model as an object, loaded from and saved to a Hugging Face folder. */
import fs from 'node:fs';
import path from 'node:path';
import { readTokenizer, writeTokenizer } from '../tokenizer/tokenizer.js';
import { maskedConfigJson, maxTokens } from './config.js';
import { families } from './families.js';
import type { Layers } from './layers.js';
import { maskedLanguageModelShapes } from './masked-language-model.js';
import {
  buildParameters,
  checkEncoder,
  engineOf,
  parameterValues,
  notesOnLength,
  readModelFolder,
  type EngineOptions,
  type Model,
} from './model.js';
import { writeSafetensors } from './safetensors.js';

/** A model with a head that guesses hidden tokens, of `loadMaskedModel`. */
export interface MaskedModel extends Model {
  /** Its head knows nothing yet: it was made by chance. */
  freshHead: boolean;
  /** What loading left aside or made afresh, in sentences. */
  notes: string[];
  /** Frees the parameters' memory. */
  dispose(): void;
}

/**
 * Loads a folder of Hugging Face's layout, of a DistilBERT, BERT or RoBERTa, with the head that guesses hidden tokens where
 * it has one; else a fresh one, and `notes` says so.
 * @param folder with config.json, weights and tokenizer
 * @param options how it is computed, see EngineOptions
 * @param options.seed of the fresh head's weights, default 42
 * @param options.layers default: the ones that are best here
 * @param options.maxLength tokens that texts will be cut to; `notes` says so if the model takes fewer
 * @throws ModelFormatError when a file is missing or does not fit
 */
export function loadMaskedModel(
  folder: string,
  {
    seed = 42,
    layers,
    maxLength,
    ...engine
  }: { seed?: number; layers?: Layers; maxLength?: number } & EngineOptions = {},
): MaskedModel {
  const { config, stored } = readModelFolder(folder);
  const { transform, vocabularyBias } = families[config.model_type];
  // The words' table and biases may be stored a second time under the head's name for them.
  const decoder = vocabularyBias.replace(/bias$/, 'decoder.');
  for (const name of [...stored.keys()])
    if (name === 'vocab_projector.weight' || name.startsWith(decoder)) stored.delete(name);
  const { parameters, fresh } = buildParameters(config, maskedLanguageModelShapes(config), stored, seed);
  checkEncoder(folder, config, parameters, fresh);
  const notes = notesOnLength(maxLength, config);
  if (fresh.length > 0)
    notes.push(
      `The model has no head that guesses words: ${fresh.join(', ')} are fresh, and what it guesses at first is chance.`,
    );
  const unused = [...stored.keys()].filter((name) => !parameters.has(name));
  if (unused.length > 0) notes.push(`Left aside, since they belong to another task: ${unused.join(', ')}.`);
  const dispose = () => parameters.forEach((parameter) => parameter.dispose());
  const freshHead = fresh.includes(`${transform}.weight`);
  return { config, parameters, engine: engineOf(engine, config, layers), freshHead, notes, dispose };
}

/**
 * Saves a folder that `transformers` loads as a masked-language model and loadClassifier as a base model.
 * @param tokenizerFolder where the tokenizer's files are
 */
export function saveMaskedModel(
  model: Pick<MaskedModel, 'config' | 'parameters'>,
  folder: string,
  tokenizerFolder: string,
): void {
  fs.mkdirSync(folder, { recursive: true });
  writeTokenizer(readTokenizer(tokenizerFolder), folder, maxTokens(model.config));
  fs.writeFileSync(path.join(folder, 'config.json'), `${JSON.stringify(maskedConfigJson(model.config), null, 2)}\n`);
  writeSafetensors(path.join(folder, 'model.safetensors'), parameterValues(model));
}
