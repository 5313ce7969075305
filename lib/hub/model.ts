/** Fetching of models: only the files that fine-tuning needs, since a repository may have weights in five formats. */
import fs from 'node:fs';
import path from 'node:path';
import { EntryNotFoundError, FileError, NoWeightsError } from '../errors.js';
import { offlineChoices } from './offline-choices.js';
import { fetchFiles, writeRepositoryRef, type DownloadOptions, type FetchedFile } from './download.js';
import { embeddedModelFolder } from './embedded.js';
import { hubOfEnvironment, type Hub } from './environment.js';
import { isRepositoryName, openRepository, type Repository } from './repository.js';
import { hubFetch } from './request.js';

/** Tunebook's own file in a model's folder: see lib/model/preprocessing.ts. */
export const preprocessingFile = 'tunebook.json';

/** Files of the tokenizer and of the preprocessing; those that exist are downloaded. */
const optionalFiles = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', preprocessingFile];

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
async function weightFiles(repository: Repository, options: DownloadOptions): Promise<string[]> {
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
  const others = repository.files.filter(({ path }) => /\.(bin|pt|ckpt|h5|msgpack|onnx|gguf|safetensors)$/.test(path));
  const branch = repository.cached ? undefined : await findConversion(repository);
  throw new NoWeightsError(
    'HUB_NO_WEIGHTS',
    `${repository.name} has no model.safetensors. ` +
      `It has: ${others.map(({ path }) => path).join(', ') || 'no weights'}. ` +
      (branch
        ? `Use Hugging Face's conversion: ${repository.name}@${branch}.`
        : 'Convert it in Python with AutoModel.from_pretrained(name).save_pretrained(folder), and use that folder.'),
    { name: repository.name, branch },
  );
}

/** The folder of a model, and where its files came from. */
export interface FetchedModel {
  /** Local path. */
  folder: string;
  /** For messages and reports. */
  name: string;
  /** Sizes in bytes. */
  files: { file: string; size: number; from: FetchedFile['from'] | 'local' | 'embedded' }[];
}

/** Describes a local folder. */
function localModel(name: string, folder: string, from: 'local' | 'embedded'): FetchedModel {
  const files = fs
    .readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name: file }) => ({ file, size: fs.statSync(path.join(folder, file)).size, from }));
  return { folder, name, files };
}

async function fetchFromHub(hub: Hub, name: string, options: DownloadOptions): Promise<FetchedModel> {
  const repository = await openRepository(hub, 'model', name);
  const names = new Set(repository.files.map(({ path }) => path));
  if (!names.has('config.json'))
    throw new EntryNotFoundError(
      'HUB_NO_MODEL',
      `${repository.name} has no config.json and is therefore not a transformers model. ` +
        `It has: ${[...names].join(', ') || 'no files'}. Choose another model.`,
      { name: repository.name },
    );
  const optional = optionalFiles.filter((file) => names.has(file));
  // Older repositories have only the vocabulary.
  if (!names.has('tokenizer.json') && names.has('vocab.txt')) optional.push('vocab.txt');
  const weights = await weightFiles(repository, options);
  const { folder, files } = await fetchFiles(repository, ['config.json', ...optional, ...weights], options);
  writeRepositoryRef(repository);
  return { folder, name: `${repository.id} on the hub, commit ${repository.commit.slice(0, 7)}`, files };
}

/**
 * Provides the config, weights and tokenizer of a model as local files, downloading them if necessary.
 * @param name `embedded`, a folder, or `name`, `owner/name` or `owner/name@revision` on the hub
 * @param options progress and cancellation of downloads
 * @param hub which hub. @default the one that HF_ENDPOINT and related variables describe
 * @throws FileError, HubError with the subclass of the problem
 * @example
 * const { folder } = await fetchModel('distilbert-base-uncased');
 * const model = await TextClassifier.load(folder, { labels: ['negative', 'positive'] });
 */
export async function fetchModel(
  name: string,
  options: DownloadOptions = {},
  hub: Hub = hubOfEnvironment(),
): Promise<FetchedModel> {
  if (name === 'embedded')
    return localModel('embedded: all-MiniLM-L6-v2 as a DistilBERT', embeddedModelFolder, 'embedded');
  if (fs.existsSync(name)) return localModel(name, name, 'local');
  if (!isRepositoryName(name))
    throw new FileError(
      'FILE_NOT_FOUND',
      `There is no folder ${name}, and it is not a valid name on the hub. ${offlineChoices()}`,
      { path: name },
    );
  return fetchFromHub(hub, name, options);
}
