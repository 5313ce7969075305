/**
 * How texts were prepared for training, stored with a classifier as tunebook.json, so that scoring does the same. Class names are in
 * config.json. Hugging Face's files have no field for the columns of a file. The maximum length of training is not
 * `model_max_length` of tokenizer_config.json, which stays the limit of the model: transformers truncates to it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { ModelFormatError } from '../errors.js';
import { preprocessingFile } from '../hub/model.js';
import type { Reading } from '../reviews/review.js';

/** Changes when earlier versions of Tunebook cannot read the file. */
const formatVersion = 1;

/** How texts were prepared for training. */
export interface Preprocessing {
  /** Maximum sequence length in tokens. */
  maxLength: number;
  /** Columns and classes of the training data; undefined if they are unknown. */
  reading?: Reading | undefined;
}

// Further fields are kept: what `Reading` gains needs no other format.
const classes = z
  .looseObject({
    names: z.array(z.string()),
    numberOf: z.record(z.string(), z.int().min(0)),
    partial: z.boolean(),
    hiddenLabel: z.string().optional(),
  })
  .refine(({ names, numberOf }) => Object.values(numberOf).every((number) => number < names.length), {
    error: 'numberOf contains a class number without a name',
  });
const format = z.looseObject({
  delimiter: z.string().optional(),
  header: z.boolean().optional(),
  columns: z.array(z.string()).min(1).optional(),
});
const reading = z.looseObject({
  textColumns: z.array(z.string()).min(1),
  textPairColumn: z.string().optional(),
  labelColumn: z.string().optional(),
  classes,
  format: format.optional(),
});
const preprocessing = z.object({ maxLength: z.int().min(1), reading: reading.optional() });

/**
 * Reads the preprocessing of a model.
 * @param folder of a model
 * @returns undefined if the model has none: it was not trained with Tunebook
 * @throws ModelFormatError if the file is damaged or has the format of another version of Tunebook
 */
export function readPreprocessing(folder: string): Preprocessing | undefined {
  const file = path.join(folder, preprocessingFile);
  if (!fs.existsSync(file)) return undefined;
  const withoutIt = `or delete it: then scoring chooses columns by their names and truncates texts to the model's maximum.`;
  const damaged = (reason: string) =>
    new ModelFormatError(
      'MODEL_FILE_DAMAGED',
      `${file}, which describes the training texts, is damaged: ${reason}. Restore it, ${withoutIt}`,
      { file },
    );
  let content: unknown;
  try {
    content = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw damaged((error as Error).message);
  }
  const version = z.object({ formatVersion: z.unknown() }).safeParse(content).data?.formatVersion;
  if (typeof version === 'number' && version !== formatVersion)
    throw new ModelFormatError(
      'MODEL_CONFIG_UNSUPPORTED',
      `${file} has format ${version}; this version of Tunebook reads ${formatVersion}. Update Tunebook, ${withoutIt}`,
      { file, name: 'formatVersion', value: version },
    );
  const result = preprocessing.safeParse(content);
  if (!result.success) throw damaged(z.prettifyError(result.error).replace(/\s+/g, ' '));
  return result.data as Preprocessing;
}

/** Writes the preprocessing of a model into its folder. */
export function writePreprocessing(folder: string, content: Preprocessing): void {
  fs.writeFileSync(path.join(folder, preprocessingFile), `${JSON.stringify({ formatVersion, ...content }, null, 2)}\n`);
}
