/** The files of a model that fine-tuning needs, and no others: a repository may hold the same weights five times over. */
import fs from 'node:fs';
import path from 'node:path';
import { EntryNotFoundError, FileError, NoWeightsError } from '../errors.js';
import { offlineChoices } from './offline-choices.js';
import { fetchFiles, rememberRepository, type DownloadOptions, type FetchedFile } from './download.js';
import { embeddedModelFolder } from './embedded.js';
import { hubOfEnvironment, type Hub } from './environment.js';
import { isRepositoryName, openRepository, type Repository } from './repository.js';
import { hubFetch } from './request.js';

/** The tokenizer's files that are taken where they are there. */
const tokenizerFiles = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

/** The branch in which Hugging Face's own conversion offers the weights as safetensors, where it does. */
async function conversion({ hub, id }: Repository): Promise<string | undefined> {
  try {
    const response = await hubFetch({ ...hub, attempts: 1 })(`${hub.endpoint}/api/models/${id}/discussions`);
    const { discussions } = (await response.json()) as {
      discussions: { num: number; isPullRequest?: boolean; author?: { name?: string }; title: string }[];
    };
    const found = discussions.find(
      ({ isPullRequest, author, title }) =>
        isPullRequest && author?.name === 'SFconvertbot' && /safetensors/i.test(title),
    );
    return found && `refs/pr/${found.num}`;
  } catch {
    return undefined;
  }
}

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
  const branch = repository.cached ? undefined : await conversion(repository);
  throw new NoWeightsError(
    'HUB_NO_WEIGHTS',
    `${repository.name} has no model.safetensors (it has: ${others.map(({ path }) => path).join(', ') || 'no weights'}). ` +
      (branch
        ? `Hugging Face's conversion of them is there: name it ${repository.name}@${branch}.`
        : 'In Python, AutoModel.from_pretrained(name).save_pretrained(folder) makes one; then name that folder.'),
    { name: repository.name, branch },
  );
}

/** A model's folder, and where its files came from. */
export interface FetchedModel {
  /** Its path on this machine. */
  folder: string;
  /** For the reader. */
  name: string;
  /** Sizes in bytes. */
  files: { file: string; size: number; from: FetchedFile['from'] | 'local' | 'embedded' }[];
}

/** A folder of this machine as it is. */
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
      `${repository.name} has no config.json, so it is no model of transformers. It has: ${[...names].join(', ') || 'nothing'}.`,
      { name: repository.name },
    );
  const tokenizer = tokenizerFiles.filter((file) => names.has(file));
  // Older repositories have the vocabulary alone.
  if (!names.has('tokenizer.json') && names.has('vocab.txt')) tokenizer.push('vocab.txt');
  const weights = await weightFiles(repository, options);
  const { folder, files } = await fetchFiles(repository, ['config.json', ...tokenizer, ...weights], options);
  rememberRepository(repository);
  return { folder, name: `${repository.id} on the hub, commit ${repository.commit.slice(0, 7)}`, files };
}

/**
 * Has config, weights and tokenizer of a model on this machine.
 * @param name `embedded`, a folder, or `name`, `owner/name` or `owner/name@revision` on the hub
 * @param options of the downloads, where there are any
 * @param hub default: the one that HF_ENDPOINT and its like describe
 * @throws FileError; HubError, of the kind that fits
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
      `There is no folder ${name}, and it cannot be a name on the hub. ${offlineChoices}`,
      { path: name },
    );
  return fetchFromHub(hub, name, options);
}
