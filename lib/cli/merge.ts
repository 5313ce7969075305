/** `tunebook merge ADAPTER FOLDER`: adds a LoRA adapter to its model and saves the result as an ordinary model. */
import fs from 'node:fs';
import { FileError, SettingsError } from '../errors.js';
import { fetchAdapter } from '../model/fetch-adapter.js';
import { fetchModel } from '../model/fetch-model.js';
import { mergeAdapter, readPeftAdapter, type StoredAdapter } from '../model/peft-adapter.js';
import { readPreprocessing } from '../model/preprocessing.js';
import { readModelConfig, labelNames } from '../model/config.js';
import { familyOf } from '../model/families.js';
import { replaceFolder } from '../replace-folder.js';
import { TextClassifier } from '../model/text-classifier.js';

/** Options of `merge`. */
export interface MergeOptions {
  model?: string;
  labels?: string;
}

/** The class names of an adapter: those given, those of its training, or those of its model. */
function labelsOf({ folder, tensors }: StoredAdapter, modelFolder: string, given: string | undefined): string[] {
  const config = readModelConfig(modelFolder);
  const { classifier } = familyOf(config);
  const count = tensors.get(`${classifier}.weight`)?.shape[0];
  const saved = given?.split(',').map((name) => name.trim()) ?? readPreprocessing(folder)?.reading?.classes.names;
  const names = saved ?? labelNames(config);
  if (given !== undefined && (names.includes('') || new Set(names).size < names.length))
    throw new SettingsError(
      'SETTING_INVALID',
      `--labels is '${given}'; classes need different names that are not empty, separated by commas.`,
      { name: 'labels', value: given },
    );
  if (count === undefined || names.length === count) return names;
  if (saved)
    throw new SettingsError(
      'SETTING_INVALID',
      `--labels is '${saved.join(',')}'; the adapter has ${count} classes. Name all of them in their order.`,
      { name: 'labels', value: saved, classes: count },
    );
  return Array.from({ length: count }, (_, i) => `LABEL_${i}`);
}

/**
 * Merges an adapter and prints where the model is.
 * @param name folder of an adapter, or its name on the hub
 * @param target folder to write
 * @throws FileError if the folder contains files; ModelFormatError, HubError
 */
export async function merge(name: string, target: string, { model: base, labels }: MergeOptions): Promise<void> {
  const existing = fs.statSync(target, { throwIfNoEntry: false });
  if (existing && !(existing.isDirectory() && fs.readdirSync(target).length === 0))
    throw new FileError('FILE_EXISTS', `${target} exists already. Name a new folder.`, { path: target });
  const adapter = readPeftAdapter(await fetchAdapter(name));
  const baseName = base ?? adapter.config.base_model_name_or_path;
  if (!baseName)
    throw new SettingsError(
      'SETTING_MISSING',
      `adapter_config.json of ${name} does not say which model the adapter belongs to. Name it with --model.`,
      { name: 'model' },
    );
  const { folder } = await fetchModel(baseName);
  const { maxLength, reading } = readPreprocessing(adapter.folder) ?? {};
  const model = TextClassifier.fromFolder(folder, {
    labels: labelsOf(adapter, folder, labels),
    precision: 'float32',
    ...(maxLength !== undefined && { maxLength }),
    ...(reading && { reading }),
  });
  try {
    mergeAdapter(model, adapter);
    // An existing folder is empty.
    replaceFolder(target, (folder) => model.save(folder));
  } finally {
    model.dispose();
  }
  console.log(`${target}: ${baseName} with the adapter ${name}, classes ${model.labels.join(', ')}.`);
}
