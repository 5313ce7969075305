/**
 * How texts were prepared for training, stored with a classifier as tunebook.json, so that scoring does the same. Class names are in
 * config.json. Hugging Face's files have no field for the columns of a file. The maximum length of training is not
 * `model_max_length` of tokenizer_config.json, which stays the limit of the model: transformers truncates to it.
 */
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { preprocessingFile } from '../hub/model-files.js';
import type { Reading } from '../reviews/review.js';
import { readVersioned } from './versioned-file.js';

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
export const readPreprocessing = (folder: string): Preprocessing | undefined =>
  readVersioned(path.join(folder, preprocessingFile), formatVersion, preprocessing, {
    content: 'describes the training texts',
    withoutIt: "or delete it: then scoring chooses columns by their names and truncates texts to the model's maximum.",
  }) as Preprocessing | undefined;

/** Writes the preprocessing of a model into its folder. */
export function writePreprocessing(folder: string, content: Preprocessing): void {
  fs.writeFileSync(path.join(folder, preprocessingFile), `${JSON.stringify({ formatVersion, ...content }, null, 2)}\n`);
}
