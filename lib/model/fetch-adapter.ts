/** LoRA adapters by name: a folder, or a repository on the hub. */
import { fetchFiles, writeRepositoryRef, type DownloadOptions } from '../hub/download.js';
import { hubOfEnvironment, type Hub } from '../hub/environment.js';
import { isModelPath } from '../hub/local-model.js';
import { preprocessingFile } from '../hub/model-files.js';
import { openRepository } from '../hub/repository.js';
import { adapterFiles } from './peft-adapter.js';

/**
 * Provides the files of a LoRA adapter in PEFT's format, downloading them if necessary.
 * @param name a folder, or `owner/name` or `owner/name@revision` on the hub
 * @returns a folder
 * @throws HubError
 */
export async function fetchAdapter(
  name: string,
  options: DownloadOptions = {},
  hub: Hub = hubOfEnvironment(),
): Promise<string> {
  if (isModelPath(name)) return name;
  const repository = await openRepository(hub, 'model', name);
  const optional = [preprocessingFile].filter((file) => repository.files.some(({ path }) => path === file));
  const { folder } = await fetchFiles(repository, [...adapterFiles, ...optional], options);
  writeRepositoryRef(repository);
  return folder;
}
