/** `tunebook push owner/name`: uploads a run's model to the Hugging Face hub. */
import { exportedFile } from '../export/onnx-engine.js';
import { pushToHub } from '../hub/push.js';
import { modelFolder } from './score.js';

/**
 * Uploads a model with its card and its exported files.
 * @param options.model run or model folder. @default the newest run with a model
 * @throws ModelFormatError if the model was not exported, HubError
 */
export async function push(name: string, options: { model?: string; private?: boolean }): Promise<void> {
  const folder = modelFolder(options.model);
  for (const precision of ['float32', 'int8'] as const) exportedFile(folder, precision);
  console.log(await pushToHub(name, folder, { private: options.private ?? false }));
}
