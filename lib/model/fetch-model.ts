/** Models by name: the embedded one, a folder, or one on the hub. Its config is checked before weights are downloaded. */
import type { DownloadOptions } from '../hub/download.js';
import { hubOfEnvironment, type Hub } from '../hub/environment.js';
import { isModelPath } from '../hub/local-model.js';
import { openHubModel, openLocalModel, type FetchedModel, type OpenedModel } from '../hub/model.js';
import { readModelConfig } from './config.js';
import { checkModelFolder } from './model-folder.js';

/**
 * Opens a model and checks that it can be used, without downloading its weights: to be called before reviews are read.
 * @param name see fetchModel
 * @throws see fetchModel
 */
export async function openModel(
  name: string,
  options: DownloadOptions = {},
  hub: Hub = hubOfEnvironment(),
): Promise<OpenedModel> {
  if (name === 'embedded' || isModelPath(name)) return openLocalModel(name, checkModelFolder);
  return openHubModel(hub, name, readModelConfig, options);
}

/**
 * Provides the config, weights and tokenizer of a model as local files, downloading them if necessary.
 * @param name `embedded`; a folder in Hugging Face format, of a run, or of a repository in the hub's cache; or `name`, `owner/name`
 *   or `owner/name@revision` on the hub. A path that does not exist is not searched on the hub
 * @param options progress and cancellation of downloads
 * @param hub which hub. @default the one that HF_ENDPOINT and related variables describe
 * @throws FileError, RunError, ModelFormatError, HubError with the subclass of the problem
 * @example
 * const { folder } = await fetchModel('distilbert-base-uncased');
 * const model = await TextClassifier.load(folder, { labels: ['negative', 'positive'] });
 */
export async function fetchModel(name: string, options: DownloadOptions = {}, hub?: Hub): Promise<FetchedModel> {
  return (await openModel(name, options, hub)).fetch();
}
