/** The files of a model folder: which it needs, and why a folder cannot be used. */
import fs from 'node:fs';
import path from 'node:path';
import { ModelFormatError } from '../errors.js';
import { adapterError, howToConvert, otherWeights } from '../hub/model-formats.js';
import { readModelJson } from '../hub/model-json.js';
import { readModelConfig, type EncoderConfig } from './config.js';
import { checkSafetensors } from './safetensors.js';

/**
 * The files with the weights of a model folder: model.safetensors, or the shards listed in model.safetensors.index.json.
 * @returns paths
 * @throws ModelFormatError if there are none or one is missing, with the conversion of weights in another format
 */
export function weightFilesOf(folder: string): string[] {
  const single = path.join(folder, 'model.safetensors');
  if (fs.existsSync(single)) return [single];
  const index = path.join(folder, 'model.safetensors.index.json');
  const files = fs.readdirSync(folder);
  if (!fs.existsSync(index)) {
    const others = otherWeights(files);
    if (others.length > 0)
      throw new ModelFormatError(
        'MODEL_OTHER_FORMAT',
        `${folder} has weights only in other formats than safetensors: ${others.join(', ')}. ` +
          howToConvert(folder, folder, readModelJson(path.join(folder, 'config.json')), others),
        { folder, files: others },
      );
    throw new ModelFormatError(
      'MODEL_NO_FILE',
      `${folder} has no model.safetensors (it contains: ${files.join(', ')}). A Hugging Face model folder has config.json and model.safetensors.`,
      { folder, file: 'model.safetensors' },
    );
  }
  const { weight_map: shardOf } = readModelJson(index) as { weight_map?: Record<string, string> };
  return [...new Set(Object.values(shardOf ?? {}))].map((shard) => {
    const file = path.join(folder, shard);
    if (fs.existsSync(file)) return file;
    throw new ModelFormatError('MODEL_NO_FILE', `${folder} lacks ${shard}, which ${index} lists.`, {
      folder,
      file: shard,
    });
  });
}

/**
 * Checks the files of a model folder without reading its weights.
 * @throws ModelFormatError for a missing, incomplete or damaged file, an adapter, weights in another format, or an unsupported model
 */
export function checkModelFolder(folder: string): EncoderConfig {
  const has = (name: string) => fs.existsSync(path.join(folder, name));
  if (has('adapter_config.json') && !has('model.safetensors'))
    throw adapterError(folder, readModelJson(path.join(folder, 'adapter_config.json')));
  const config = readModelConfig(folder);
  weightFilesOf(folder).forEach(checkSafetensors);
  return config;
}
