/**
 * calibration.json in a model folder: the model's temperature and decision threshold. It is a file of its own, since scoring reads it
 * only if calibrated predictions are requested. Hugging Face's libraries ignore it.
 */
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { ModelFormatError } from '../errors.js';
import { calibrationFile } from '../hub/model-files.js';
import type { ModelCalibration } from './calibration.js';
import type { EncoderConfig } from './families/family.js';
import { readVersioned } from './versioned-file.js';

/** Changes when earlier versions of Tunebook cannot read the file. */
const formatVersion = 1;

const schemaOf = (classes: number) =>
  z
    .object({
      // Fitted temperatures are between 0.01 and 100. With much smaller ones, logits would exceed all numbers.
      temperature: z.number().min(1e-6).max(1e6),
      threshold: z.number().min(0).max(1).nullable(),
      rows: z.int().min(1),
    })
    .refine(({ threshold }) => threshold === null || classes === 2, {
      error: `it has a threshold, but the model has ${classes} classes`,
    });

/**
 * Reads the calibration of a model.
 * @param folder of a model
 * @param classes number of its classes
 * @returns undefined if the model has none
 * @throws ModelFormatError if the file is damaged or has the format of another version of Tunebook
 */
export const readCalibration = (folder: string, classes: number): ModelCalibration | undefined =>
  readVersioned(path.join(folder, calibrationFile), formatVersion, schemaOf(classes), {
    content: 'contains the temperature and the decision threshold of the model',
    withoutIt: 'or delete it: then the model has no calibrated predictions.',
  });

/**
 * Reads the calibration of a model that must have one.
 * @param config of the model
 * @throws ModelFormatError if it has none, and see readCalibration
 */
export function requireCalibration(
  folder: string,
  { id2label, problem_type: problemType }: Pick<EncoderConfig, 'id2label' | 'problem_type'>,
): ModelCalibration {
  if (problemType !== 'single_label_classification')
    throw new ModelFormatError(
      'MODEL_NOT_CALIBRATED',
      `${folder} predicts ${problemType === 'regression' ? 'a number' : 'several classes of a text'}, and only probabilities of one class of several can be calibrated. Leave out --calibrated.`,
      { folder },
    );
  const calibration = readCalibration(folder, Object.keys(id2label).length);
  if (calibration) return calibration;
  throw new ModelFormatError(
    'MODEL_NOT_CALIBRATED',
    `${folder} has no ${calibrationFile}, so it has no calibrated predictions: it was not fine-tuned by 'npx tunebook finetune' of ` +
      'this version, or with too few validation reviews. Leave out --calibrated, fine-tune again, or calibrate the model in ' +
      'TypeScript: await calibrate(model, model.encode(reviews.validation)); model.save(folder)',
    { folder, file: calibrationFile },
  );
}

/** Writes the calibration of a model into its folder; undefined removes a file that is there. */
export function writeCalibration(folder: string, calibration: ModelCalibration | undefined): void {
  const file = path.join(folder, calibrationFile);
  if (calibration) fs.writeFileSync(file, `${JSON.stringify({ formatVersion, ...calibration }, null, 2)}\n`);
  else fs.rmSync(file, { force: true });
}
