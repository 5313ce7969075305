/** The LoRA adapter of a run, in the format of PEFT. */
import fs from 'node:fs';
import type { Adapter } from '../model/lora.js';
import { savePeftAdapter } from '../model/peft-adapter.js';
import { writePreprocessing } from '../model/preprocessing.js';
import type { TextClassifier } from '../model/text-classifier.js';
import type { RunFolder } from './run-folder.js';

/**
 * Writes the adapter of a run, with the classes and the maximum length of its training, to the folder `adapter`. It is
 * written to a temporary folder and renamed when it is complete.
 * @param baseModel name of the model that the adapter belongs to
 */
export function writeAdapter(
  run: RunFolder,
  adapter: Adapter,
  { maxLength, reading }: TextClassifier,
  baseModel: string,
): void {
  const partialFolder = run.path('.adapter.partial');
  fs.rmSync(partialFolder, { recursive: true, force: true });
  savePeftAdapter(adapter, partialFolder, baseModel);
  writePreprocessing(partialFolder, { maxLength, reading });
  fs.rmSync(run.path('adapter'), { recursive: true, force: true });
  fs.renameSync(partialFolder, run.path('adapter'));
}
