/** `tunebook push owner/name`: uploads a run's model to the Hugging Face hub. */
import fs from 'node:fs';
import path from 'node:path';
import { ModelFormatError } from '../errors.js';
import { onnxFiles } from '../export/onnx-engine.js';
import { pushToHub } from '../hub/push.js';
import { modelFolder } from './score.js';

/**
 * Uploads a model with its card and its exported files.
 * @param options.model run or model folder. @default the newest run with a model
 * @throws ModelFormatError if the model was not exported, HubError
 */
export async function push(name: string, options: { model?: string; private?: boolean }): Promise<void> {
  const folder = modelFolder(options.model);
  const missing = Object.values(onnxFiles).find((file) => !fs.existsSync(path.join(folder, file)));
  if (missing)
    throw new ModelFormatError(
      'MODEL_NOT_EXPORTED',
      `${folder} has no ${missing}, which transformers.js and onnxruntime need. Export the model first: npx tunebook export ${folder}`,
      { folder },
    );
  console.log(await pushToHub(name, folder, { private: options.private ?? false }));
}
