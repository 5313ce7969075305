/** The LoRA adapter of a run, in the format of PEFT. */
import type { Adapter } from '../model/lora.js';
import { savePeftAdapter } from '../model/peft-adapter.js';
import { writePreprocessing } from '../model/preprocessing.js';
import type { TextClassifier } from '../model/text-classifier.js';
import { replaceFolder } from '../replace-folder.js';
import type { RunFolder } from './run-folder.js';

/**
 * Writes the adapter of a run, with the classes and the maximum length of its training, to the folder `adapter`.
 * @param baseModel name of the model that the adapter belongs to
 */
export function writeAdapter(
  run: RunFolder,
  adapter: Adapter,
  { maxLength, reading }: TextClassifier,
  baseModel: string,
): void {
  replaceFolder(run.path('adapter'), (folder) => {
    savePeftAdapter(adapter, folder, baseModel);
    writePreprocessing(folder, { maxLength, reading });
  });
}
