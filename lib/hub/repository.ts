/** A model or a data set on the hub, at one commit: which files it has. Out of the cache where the hub cannot be asked. */
import fs from 'node:fs';
import { datasetInfo, listDatasets, listFiles, listModels, modelInfo } from '@huggingface/hub';
import {
  GatedRepoError,
  HubResponseError,
  HubUnavailableError,
  OfflineError,
  RepositoryNotFoundError,
  RevisionNotFoundError,
} from '../errors.js';
import { offlineChoices } from './offline-choices.js';
import { cachedCommit, cachedFiles, repositoryFolder, type RepositoryType } from './cache.js';
import type { Hub } from './environment.js';
import { hubFetch } from './request.js';

export interface HubFile {
  path: string;
  /** Bytes. */
  size: number;
  /** Its name among the cache's blobs: the sha256 of a large file, git's hash of a small one. None when only the cache was asked. */
  blob?: string;
}

export interface Repository {
  hub: Hub;
  type: RepositoryType;
  /** As it was asked for; the cache is ordered by it. */
  name: string;
  /** The name that the hub has for it today: `distilbert/distilbert-base-uncased` for `distilbert-base-uncased`. */
  id: string;
  revision: string;
  commit: string;
  files: HubFile[];
  /** Its folder in the cache. */
  folder: string;
  /** The hub was not asked; what the cache has is all there is. */
  cached: boolean;
}

/** `owner/name@revision`, the revision being `main` where none is said. */
export function parseRepositoryName(text: string): { name: string; revision: string } {
  const at = text.indexOf('@');
  return at < 0 ? { name: text, revision: 'main' } : { name: text.slice(0, at), revision: text.slice(at + 1) };
}

/** Whether a text can be the name of a repository: `name` or `owner/name`, with a revision perhaps. */
export const isRepositoryName = (text: string): boolean =>
  /^[\w][\w.-]*(\/[\w][\w.-]*)?(@[\w./-]+)?$/.test(text) && !text.includes('..') && !text.includes('--');

const kinds = { model: 'model', dataset: 'data set' };

/** Up to five names on the hub that come close. */
async function suggestions(hub: Hub, type: RepositoryType, name: string): Promise<string[]> {
  const [last = ''] = name.split('/').slice(-1);
  const parameters = {
    search: { query: last },
    limit: 5,
    hubUrl: hub.endpoint,
    fetch: hubFetch({ ...hub, attempts: 1 }),
  };
  const found: string[] = [];
  try {
    for await (const entry of type === 'model' ? listModels(parameters) : listDatasets(parameters))
      found.push(entry.name);
  } catch {
    // No suggestion is better than another error.
  }
  return found;
}

/** Of git or sha256. */
const isHash = (text: string) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

async function ask(
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
  // By the name that the hub answers with: every redirect costs a round trip.
  const tree = listFiles({ repo: { type, name: id }, revision: sha, recursive: true, ...access });
  for await (const { type: kind, path, size, oid, lfs } of tree)
    if (kind === 'file')
      files.push({ path, size: lfs?.size ?? size, ...((lfs?.oid ?? oid) && { blob: lfs?.oid ?? oid! }) });
  // Names that folders and files of the cache will have: a hub that is none of Hugging Face's must not choose them freely.
  const strange = files.find(({ path, blob }) => path.split(/[/\\]/).includes('..') || !isHash(blob ?? sha))?.path;
  if (!isHash(sha) || strange)
    throw new HubResponseError(
      'HUB_RESPONSE_INVALID',
      `${hub.endpoint} answers with ${strange ? `the file '${strange}'` : `the commit '${sha}'`}, which no repository has.`,
      { endpoint: hub.endpoint, value: strange ?? sha },
    );
  return { hub, type, name, id, revision, commit: sha, files, cached: false };
}

/** What the cache has of a repository; where no owner is named, of anybody's of that name. */
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
 * Finds a repository, asking the hub, and the cache where the hub cannot be asked.
 * @param text `name`, `owner/name` or `owner/name@revision`
 * @throws RepositoryNotFoundError with names that come close, RevisionNotFoundError, GatedRepoError, OfflineError, HubUnavailableError
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
      `HF_HUB_OFFLINE is set, and ${what} is not in the cache (${hub.cacheFolder}). ${offlineChoices}`,
      { name },
    );
  }
  try {
    return { ...(await ask(hub, type, name, revision)), folder: repositoryFolder(hub.cacheFolder, type, name) };
  } catch (error) {
    const cached = error instanceof OfflineError || error instanceof HubUnavailableError ? fromCache() : undefined;
    if (cached) return cached;
    if (error instanceof RepositoryNotFoundError) {
      const near = await suggestions(hub, type, name);
      throw new RepositoryNotFoundError(
        'HUB_REPOSITORY_NOT_FOUND',
        `The hub has no ${kinds[type]} '${name}' that may be seen ${hub.token ? 'with this token' : 'without a token'}. ` +
          (near.length > 0 ? `Did you mean ${near.join(', or ')}? ` : '') +
          `If it is private, set HF_TOKEN to a token of somebody who may read it. Names are owner/name.`,
        { type, name, suggestions: near },
      );
    }
    if (error instanceof RevisionNotFoundError)
      throw new RevisionNotFoundError(
        'HUB_REVISION_NOT_FOUND',
        `${what} has no branch, tag or commit '${revision}'. Leave '@${revision}' out for its main branch.`,
        { name, revision },
      );
    if (error instanceof GatedRepoError) throw gated(hub, type, name, error);
    throw error;
  }
}

/** A closed door, and how it is opened. */
export const gated = (hub: Hub, type: RepositoryType, name: string, { message }: Error): GatedRepoError =>
  new GatedRepoError(
    'HUB_REPOSITORY_GATED',
    `The ${kinds[type]} '${name}' is not open to everybody (${message}). ` +
      `Ask for access on ${hub.endpoint}/${type === 'dataset' ? 'datasets/' : ''}${name}, then set HF_TOKEN to your token` +
      (hub.token ? '; the one that is set does not open it.' : '.'),
    { type, name },
  );
