/** The configuration of an encoder: the values of config.json, with the defaults of `transformers` for its family. */
import fs from 'node:fs';
import path from 'node:path';
import { ModelFormatError } from '../errors.js';
import { readModelJson } from '../hub/model-json.js';
import { families, familyOf } from './families.js';
import type { ProblemType } from '../settings/problem-type.js';
import type { EncoderConfig, Field, ModelType } from './families/family.js';

export type { EncoderConfig, ModelType } from './families/family.js';

const positiveIntegers = ['dim', 'hidden_dim', 'n_layers', 'n_heads', 'vocab_size', 'max_position_embeddings'] as const;

/** Names joined by | are a list in older files. */
const listOf = (value: unknown): unknown =>
  typeof value === 'string' && value.includes('|') ? value.split('|').map((name) => name.trim()) : value;

const areEqual = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) && Array.isArray(b) ? a.length === b.length && a.every((item) => b.includes(item)) : a === b;

/**
 * The problem type of a head with this number of outputs, as `transformers` chooses it.
 * @param stated the stated one, which decides between one class and several of more than one output
 */
export const problemTypeOf = (outputs: number, stated?: unknown): ProblemType =>
  outputs === 1 ? 'regression' : stated === 'multi_label_classification' ? stated : 'single_label_classification';

/**
 * Converts a parsed config.json.
 * @param json content of the file
 * @param file file name for error messages
 * @throws ModelFormatError for an unsupported model type or property of a model, or inconsistent sizes
 */
export function parseConfig(json: Record<string, unknown>, file = 'config.json'): EncoderConfig {
  const kind = (json['model_type'] ?? 'distilbert') as ModelType;
  if (!Object.hasOwn(families, kind))
    throw new ModelFormatError(
      'MODEL_TYPE_UNSUPPORTED',
      `${file} has the model type ${JSON.stringify(kind)}, which is not supported. Use a model of one of these types: ${Object.keys(families).join(', ')}.`,
      { file, modelType: kind },
    );
  const family = families[kind];
  const { fields, required = {} } = family;
  const unsupported = (name: string, value: unknown, supported: unknown[]) =>
    new ModelFormatError(
      'MODEL_CONFIG_UNSUPPORTED',
      `${file} has the ${name} ${JSON.stringify(value)}. Of ${kind} models, only ${supported.map((value) => JSON.stringify(value)).join(' or ')} is supported.`,
      { file, name, value },
    );
  for (const [name, { value: supported, absent }] of Object.entries(required)) {
    const value = listOf(json[name] ?? absent);
    if (!areEqual(value, supported)) throw unsupported(name, value, [supported]);
  }
  const values = Object.entries(fields).map(
    ([key, { name, default: fallback, supported }]: [string, Field<unknown>]) => {
      const value = (name === undefined ? undefined : json[name]) ?? fallback;
      if (supported && !supported.includes(value)) throw unsupported(name ?? key, value, supported);
      return [key, value];
    },
  );
  const id2label = json['id2label'] ?? { 0: 'negative', 1: 'positive' };
  const config = {
    model_type: kind,
    ...(Object.fromEntries(values) as object),
    id2label,
    problem_type: problemTypeOf(Object.keys(id2label).length, json['problem_type']),
  } as EncoderConfig;
  family.derive?.(config, json);
  for (const key of positiveIntegers)
    if (!Number.isInteger(config[key]) || config[key] < 1)
      throw new ModelFormatError(
        'MODEL_CONFIG_INVALID',
        `${file} has ${fields[key].name} ${String(config[key])}. It must be a positive integer.`,
        { file, name: fields[key].name, value: config[key] },
      );
  if (config.dim % config.n_heads !== 0)
    throw new ModelFormatError(
      'MODEL_CONFIG_INVALID',
      `${file} has ${fields.dim.name} ${config.dim}, which is not divisible by ${fields.n_heads.name} ${config.n_heads}.`,
      { file, name: fields.dim.name, value: config.dim },
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
 * The position of the first token of a text.
 * @param config configuration of the encoder
 */
const firstPosition = (config: EncoderConfig): number => familyOf(config).firstPosition?.(config) ?? 0;

/** Maximum sequence length in tokens. */
export const maxTokens = (config: EncoderConfig): number => config.max_position_embeddings - firstPosition(config);

/** Class names in order of their numbers. */
export const labelNames = (config: EncoderConfig): string[] =>
  Object.keys(config.id2label)
    .sort((a, b) => Number(a) - Number(b))
    .map((id) => config.id2label[id]!);

/** The content of config.json for `transformers`, without the fields of a head. */
function configJson(config: EncoderConfig, head: string): Record<string, unknown> {
  const { architecture, fields, required = {}, written } = familyOf(config);
  const stored = Object.entries(fields as Record<string, Field<unknown>>).filter(([, { name }]) => name !== undefined);
  return {
    architectures: [`${architecture}For${head}`],
    model_type: config.model_type,
    dtype: 'float32',
    ...Object.fromEntries(Object.entries(required).map(([name, { value }]) => [name, value])),
    ...Object.fromEntries(stored.map(([key, { name }]) => [name!, config[key as keyof EncoderConfig]])),
    ...written,
  };
}

/** Content of config.json for a sequence classifier. */
export const classifierConfigJson = (config: EncoderConfig): Record<string, unknown> => ({
  ...configJson(config, 'SequenceClassification'),
  id2label: config.id2label,
  label2id: Object.fromEntries(labelNames(config).map((name, id) => [name, id])),
  problem_type: config.problem_type,
});

/** Content of config.json for a masked-language model. */
export const maskedConfigJson = (config: EncoderConfig): Record<string, unknown> => configJson(config, 'MaskedLM');
