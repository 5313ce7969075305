/** Fetching of models: only the files that fine-tuning needs, since a repository may have weights in five formats. */
import fs from 'node:fs';
import path from 'node:path';
import { EntryNotFoundError, NoWeightsError } from '../errors.js';
import { settingText } from '../settings/setting-text.js';
import { fetchFiles, writeRepositoryRef, type DownloadOptions, type FetchedFile } from './download.js';
import { embeddedModelFolder } from './embedded.js';
import type { Hub } from './environment.js';
import { findModelFolder } from './local-model.js';
import { calibrationFile, preprocessingFile } from './model-files.js';
import { adapterError, howToConvert, otherWeights } from './model-formats.js';
import { readModelJson } from './model-json.js';
import { openRepository, type Repository } from './repository.js';
import { hubFetch } from './request.js';

/** Files of the tokenizer, and Tunebook's own; those that exist are downloaded. */
const optionalFiles = [
  ...['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'],
  ...[preprocessingFile, calibrationFile],
];

/** Finds the branch with Hugging Face's conversion of the weights to safetensors, if there is one. */
async function findConversion({ hub, id }: Repository): Promise<string | undefined> {
  try {
    const response = await hubFetch({ ...hub, attempts: 1 })(`${hub.endpoint}/api/models/${id}/discussions`);
    const { discussions } = (await response.json()) as {
      discussions: { num: number; isPullRequest?: boolean; author?: { name?: string }; title: string }[];
    };
    const conversion = discussions.find(
      ({ isPullRequest, author, title }) =>
        isPullRequest && author?.name === 'SFconvertbot' && /safetensors/i.test(title),
    );
    return conversion && `refs/pr/${conversion.num}`;
  } catch {
    return undefined;
  }
}

/** Lists the files with the weights: one file, or an index and its shards. */
async function weightFiles(repository: Repository, config: object, options: DownloadOptions): Promise<string[]> {
  const has = (name: string) => repository.files.some(({ path }) => path === name);
  if (has('model.safetensors')) return ['model.safetensors'];
  const index = 'model.safetensors.index.json';
  if (has(index)) {
    const { folder } = await fetchFiles(repository, [index], options);
    const { weight_map } = JSON.parse(fs.readFileSync(path.join(folder, index), 'utf8')) as {
      weight_map: Record<string, string>;
    };
    return [index, ...new Set(Object.values(weight_map))];
  }
  const others = otherWeights(repository.files.map(({ path }) => path));
  const branch = repository.cached ? undefined : await findConversion(repository);
  throw new NoWeightsError(
    'HUB_NO_WEIGHTS',
    `${repository.name} has no model.safetensors. Its weights: ${others.join(', ') || 'none'}. ` +
      (branch
        ? `Use Hugging Face's conversion: ${settingText('model', `${repository.name}@${branch}`)}.`
        : howToConvert(repository.name, path.basename(repository.name), config, others)),
    { name: repository.name, branch },
  );
}

/** The folder of a model, and where its files came from. */
export interface FetchedModel {
  /** Local path. */
  folder: string;
  /** For messages and reports. */
  name: string;
  /** Whether another folder than the named one is used, a sentence each. */
  notes: string[];
  /** Sizes in bytes. */
  files: { file: string; size: number; from: FetchedFile['from'] | 'local' | 'embedded' }[];
}

/** A model whose config is known, but whose weights have not been downloaded. */
export interface OpenedModel extends Pick<FetchedModel, 'notes'> {
  /** The folder of a local model, for which nothing is downloaded. */
  folder?: string;
  /** Downloads the files that are not in the cache. */
  fetch: () => Promise<FetchedModel>;
}

/**
 * Opens a model on this machine.
 * @param name `embedded` or a path
 * @param checkFolder throws an error if the folder contains no usable model
 * @throws FileError, RunError, ModelFormatError
 */
export function openLocalModel(name: string, checkFolder: (folder: string) => unknown): OpenedModel {
  const isEmbedded = name === 'embedded';
  const { folder, notes } = isEmbedded ? { folder: embeddedModelFolder, notes: [] } : findModelFolder(name);
  checkFolder(folder);
  const from = isEmbedded ? 'embedded' : 'local';
  const listFiles = () =>
    fs
      .readdirSync(folder)
      .filter((file) => !file.startsWith('.'))
      .map((file) => ({ file, stat: fs.statSync(path.join(folder, file), { throwIfNoEntry: false }) }))
      .flatMap(({ file, stat }) => (stat?.isFile() ? { file, size: stat.size, from } : [])) as FetchedModel['files'];
  const title = isEmbedded ? 'embedded: all-MiniLM-L6-v2 as a DistilBERT' : folder;
  return { notes, folder, fetch: () => Promise.resolve({ folder, name: title, notes, files: listFiles() }) };
}

/**
 * Opens a model on the hub: checks that it has all files that are needed, and downloads its config only.
 * @param name `name`, `owner/name` or `owner/name@revision`
 * @param readConfig reads config.json of a folder; throws an error for an unsupported model
 * @throws HubError with the subclass of the problem, ModelFormatError for an adapter, and the errors of readConfig
 */
export async function openHubModel(
  hub: Hub,
  name: string,
  readConfig: (folder: string) => unknown,
  options: DownloadOptions,
): Promise<OpenedModel> {
  const repository = await openRepository(hub, 'model', name);
  const names = new Set(repository.files.map(({ path }) => path));
  if (names.has('adapter_config.json') && !names.has('model.safetensors')) {
    const { folder } = await fetchFiles(repository, ['adapter_config.json'], options);
    throw adapterError(repository.name, readModelJson(path.join(folder, 'adapter_config.json')));
  }
  if (!names.has('config.json'))
    throw new EntryNotFoundError(
      'HUB_NO_MODEL',
      `${repository.name} has no config.json and is therefore not a transformers model. ` +
        `It has: ${[...names].join(', ') || 'no files'}. Choose another model.`,
      { name: repository.name },
    );
  const { folder, files: first } = await fetchFiles(repository, ['config.json'], options);
  readConfig(folder);
  const optional = optionalFiles.filter((file) => names.has(file));
  // Some repositories have only the vocabulary.
  if (!names.has('tokenizer.json')) optional.push(...['vocab.txt', 'spm.model'].filter((file) => names.has(file)));
  const weights = await weightFiles(repository, readModelJson(path.join(folder, 'config.json')), options);
  return {
    notes: [],
    async fetch() {
      const { files } = await fetchFiles(repository, [...optional, ...weights], options);
      writeRepositoryRef(repository);
      const title = `${repository.id} on the hub, commit ${repository.commit.slice(0, 7)}`;
      return { folder, name: title, notes: [], files: [...first, ...files] };
    },
  };
}
