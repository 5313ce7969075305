/** Models and data sets on the hub: the commit of a revision and its files. Offline, the cache is used. */
import fs from 'node:fs';
import path from 'node:path';
import { datasetInfo, listDatasets, listFiles, listModels, modelInfo } from '@huggingface/hub';
import {
  GatedRepoError,
  HubResponseError,
  HubUnavailableError,
  OfflineError,
  RepositoryNotFoundError,
  RevisionNotFoundError,
} from '../errors.js';
import { runsFolder } from '../runs-folder.js';
import { offlineChoices } from './offline-choices.js';
import { cachedCommit, cachedFiles, repositoryFolder, type RepositoryType } from './cache.js';
import type { Hub } from './environment.js';
import { hubFetch } from './request.js';

/** A file of a repository. */
export interface HubFile {
  path: string;
  /** In bytes. */
  size: number;
  /** Name of its blob in the cache: the sha256 of a large file, git's hash of a small one. Undefined if `cached`. */
  blob?: string;
}

/** A model or a data set on the hub, at one commit. */
export interface Repository {
  hub: Hub;
  type: RepositoryType;
  /** The name as requested, which also names the folder in the cache. */
  name: string;
  /** The current name on the hub: `distilbert/distilbert-base-uncased` for `distilbert-base-uncased`. */
  id: string;
  revision: string;
  commit: string;
  files: HubFile[];
  /** Folder in the cache. */
  folder: string;
  /** Whether it was read from the cache, without the hub; `files` are then the cached ones. */
  cached: boolean;
}

/** Parses `owner/name@revision`; the default revision is `main`. */
export function parseRepositoryName(text: string): { name: string; revision: string } {
  const index = text.indexOf('@');
  if (index < 0) return { name: text, revision: 'main' };
  return { name: text.slice(0, index), revision: text.slice(index + 1) };
}

/** Whether a text is a valid name of a repository: `name` or `owner/name`, optionally with `@revision`. */
export const isRepositoryName = (text: string): boolean =>
  /^[\w][\w.-]*(\/[\w][\w.-]*)?(@[\w./-]+)?$/.test(text) && !text.includes('..') && !text.includes('--');

/**
 * Whether a name is a local path, even a misspelled one, rather than a repository on the hub: it exists, has the form of a
 * path (`./model`, `runs/a/model`, `runs/a`) or the extension of a file, or its folder exists here (`models/modell`).
 * @param text a name, optionally with `@revision`
 * @param isFile whether a name has the extension of a file of this kind
 */
export function isLocalPath(text: string, isFile: (name: string) => boolean): boolean {
  if (fs.existsSync(text) || !isRepositoryName(text)) return true;
  const { name } = parseRepositoryName(text);
  return isFile(name) || name.startsWith(`${runsFolder}/`) || (name.includes('/') && fs.existsSync(path.dirname(name)));
}

const kinds = { model: 'model', dataset: 'data set' };

/** Searches the hub for up to five similar names. */
async function findSimilarNames(hub: Hub, type: RepositoryType, name: string): Promise<string[]> {
  const [last = ''] = name.split('/').slice(-1);
  const parameters = {
    search: { query: last },
    limit: 5,
    hubUrl: hub.endpoint,
    fetch: hubFetch({ ...hub, attempts: 1 }),
  };
  const names: string[] = [];
  try {
    for await (const entry of type === 'model' ? listModels(parameters) : listDatasets(parameters))
      names.push(entry.name);
  } catch {
    // Suggestions are optional; the original error is reported without them.
  }
  return names;
}

/** Whether a text is a hash of git (sha1) or sha256. */
const isHash = (text: string) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

/** Requests the commit of a revision and its files from the hub. */
async function request(
  hub: Hub,
  type: RepositoryType,
  name: string,
  revision: string,
): Promise<Omit<Repository, 'folder'>> {
  const access = { hubUrl: hub.endpoint, fetch: hubFetch(hub) };
  const { name: id, sha } = await (type === 'model'
    ? modelInfo({ name, revision, additionalFields: ['sha'], ...access })
    : datasetInfo({ name, revision, additionalFields: ['sha'], ...access }));
  const files: HubFile[] = [];
  // Requested by the current name: a redirect costs a round trip.
  const tree = listFiles({ repo: { type, name: id }, revision: sha, recursive: true, ...access });
  for await (const { type: kind, path, size, oid, lfs } of tree)
    if (kind === 'file')
      files.push({ path, size: lfs?.size ?? size, ...((lfs?.oid ?? oid) && { blob: lfs?.oid ?? oid! }) });
  // These become paths in the cache, so that an untrusted endpoint must not choose them freely.
  const invalid = files.find(({ path, blob }) => path.split(/[/\\]/).includes('..') || !isHash(blob ?? sha))?.path;
  if (!isHash(sha) || invalid)
    throw new HubResponseError(
      'HUB_RESPONSE_INVALID',
      `${hub.endpoint} returned ${invalid ? `the file '${invalid}'` : `the commit '${sha}'`}, which is not valid. ` +
        'Check HF_ENDPOINT.',
      { endpoint: hub.endpoint, value: invalid ?? sha },
    );
  return { hub, type, name, id, revision, commit: sha, files, cached: false };
}

/** Finds a repository in the cache; a name without an owner matches any owner. */
export function cachedRepository(
  hub: Hub,
  type: RepositoryType,
  name: string,
  revision = 'main',
): Repository | undefined {
  const exact = repositoryFolder(hub.cacheFolder, type, name);
  const others =
    name.includes('/') || !fs.existsSync(hub.cacheFolder)
      ? []
      : fs
          .readdirSync(hub.cacheFolder)
          .filter(
            (folder) =>
              folder.startsWith(`${type}s--`) && folder.split('--').length === 3 && folder.endsWith(`--${name}`),
          )
          .map((folder) => folder.split('--').slice(1).join('/'));
  for (const id of [name, ...others]) {
    const folder = id === name ? exact : repositoryFolder(hub.cacheFolder, type, id);
    const commit = cachedCommit(folder, revision);
    if (commit)
      return { hub, type, name: id, id, revision, commit, folder, files: cachedFiles(folder, commit), cached: true };
  }
  return undefined;
}

/**
 * Finds a repository on the hub, or in the cache if the hub is not available.
 * @param text `name`, `owner/name` or `owner/name@revision`
 * @throws RepositoryNotFoundError with similar names, RevisionNotFoundError, GatedRepoError, OfflineError,
 *   HubUnavailableError
 */
export async function openRepository(hub: Hub, type: RepositoryType, text: string): Promise<Repository> {
  const { name, revision } = parseRepositoryName(text);
  const what = `the ${kinds[type]} '${name}'`;
  const fromCache = () => cachedRepository(hub, type, name, revision);
  if (hub.offline) {
    const cached = fromCache();
    if (cached) return cached;
    throw new OfflineError(
      'HUB_OFFLINE',
      `HF_HUB_OFFLINE is set, and ${what} is not in the cache (${hub.cacheFolder}). ${offlineChoices()}`,
      { name },
    );
  }
  try {
    return { ...(await request(hub, type, name, revision)), folder: repositoryFolder(hub.cacheFolder, type, name) };
  } catch (error) {
    const cached = error instanceof OfflineError || error instanceof HubUnavailableError ? fromCache() : undefined;
    if (cached) return cached;
    if (error instanceof RepositoryNotFoundError) {
      const similar = await findSimilarNames(hub, type, name);
      throw new RepositoryNotFoundError(
        'HUB_REPOSITORY_NOT_FOUND',
        `The hub has no ${kinds[type]} '${name}' that is accessible ${hub.token ? 'with this' : 'without a'} token. ` +
          (similar.length > 0 ? `Did you mean ${similar.join(', or ')}? ` : '') +
          'If it is private, set HF_TOKEN to a token with read access. Names have the form owner/name.',
        { type, name, suggestions: similar },
      );
    }
    if (error instanceof RevisionNotFoundError)
      throw new RevisionNotFoundError(
        'HUB_REVISION_NOT_FOUND',
        `${what} has no branch, tag or commit '${revision}'. Omit '@${revision}' to use the main branch.`,
        { name, revision },
      );
    if (error instanceof GatedRepoError) throw gatedError(hub, type, name, error);
    throw error;
  }
}

/** Creates the error for a gated repository. */
export const gatedError = (hub: Hub, type: RepositoryType, name: string, { message }: Error): GatedRepoError =>
  new GatedRepoError(
    'HUB_REPOSITORY_GATED',
    `Access to the ${kinds[type]} '${name}' is restricted (${message}). ` +
      `Request access on ${hub.endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}, ` +
      `then set HF_TOKEN to your token${hub.token ? '; the current token has no access.' : '.'}`,
    { type, name },
  );
