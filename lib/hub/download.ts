/**
 * Files of a repository into the cache. What breaks off goes on where it stopped, what arrives is checked by size and
 * hash before anybody can see it, and two processes that want the same file share one download: the second waits.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheError, EntryNotFoundError, GatedRepoError, IntegrityError, OfflineError } from '../errors.js';
import { offlineChoices } from './offline-choices.js';
import { linkBlob, rememberCommit, snapshotFolder } from './cache.js';
import { gated, type HubFile, type Repository } from './repository.js';
import { TransientError, requestOnce, withRetries } from './request.js';

/** How far a download is. */
export interface DownloadProgress {
  /** Of which model or data set. */
  repository: string;
  file: string;
  /** Bytes, those of an earlier try included. */
  received: number;
  size: number;
  /** Bytes a second, of this try. */
  rate: number;
  secondsLeft: number;
}

/** Where a file came from. */
export interface FetchedFile {
  file: string;
  size: number;
  from: 'hub' | 'cache';
}

/** Who is told of downloads, and who may end them. */
export interface DownloadOptions {
  /** Called as bytes arrive. */
  onProgress?: (progress: DownloadProgress) => void;
  /** Ends a download; what has arrived is kept, and gone on from the next time. */
  signal?: AbortSignal;
}

/** The hash that a blob's name is: git's of a small file, sha256 of a large one. */
function hashOf(file: HubFile) {
  if (/^[0-9a-f]{64}$/.test(file.blob ?? '')) return createHash('sha256');
  return createHash('sha1').update(`blob ${file.size}\0`);
}

/** Where a file of the repository is resolved to its bytes. */
export const resolveUrl = ({ hub, type, id, commit }: Repository, file: string): string =>
  `${hub.endpoint}/${type === 'dataset' ? 'datasets/' : ''}${id}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`;

/** The seconds after which the lock of a process that is gone is nobody's. */
const staleSeconds = 5;

/** Does `work` while no other process does it for the same blob. */
async function alone<T>(blob: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
  // Only now: it listens to signals as soon as it is loaded.
  const { default: lockfile } = await import('proper-lockfile');
  const lost = new AbortController();
  const lock = () =>
    lockfile.lock(blob, {
      realpath: false,
      lockfilePath: `${blob}.tunebook.lock`,
      stale: staleSeconds * 1000,
      update: 1000,
      onCompromised: () => lost.abort(new Error('Another process has taken the download over.')),
    });
  let release: (() => Promise<void>) | undefined;
  while (!release)
    try {
      release = await lock();
    } catch (error) {
      // As long as another one has it; whatever else is wrong will not pass by itself.
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
      await sleep(300, undefined, { ...(signal && { signal }) });
    }
  try {
    return await work(signal ? AbortSignal.any([signal, lost.signal]) : lost.signal);
  } finally {
    await release().catch(() => {});
  }
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** A failed write, in words. */
function cacheError(error: unknown, repository: Repository, file: HubFile): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const where = repository.hub.cacheFolder;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new CacheError(
      'HUB_CACHE_FULL',
      `No space is left in ${where} for ${file.path} (${megabytes(file.size)}). Free some, or set HF_HOME to a folder with more. What has arrived is kept.`,
      { folder: where, file: file.path },
    );
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')
    return new CacheError(
      'HUB_CACHE_NOT_WRITABLE',
      `The cache ${where} may not be written (${code}). Set HF_HOME to a folder of your own.`,
      { folder: where, systemCode: code },
    );
  return error;
}

/** Bytes of an abandoned download that can be kept, and their hash so far. */
function begun(partial: string, file: HubFile): { received: number; hash: ReturnType<typeof createHash> } {
  const hash = hashOf(file);
  let received = 0;
  const size = fs.existsSync(partial) ? fs.statSync(partial).size : 0;
  if (size > file.size) fs.rmSync(partial);
  else if (size > 0) {
    const descriptor = fs.openSync(partial, 'r');
    const buffer = Buffer.alloc(1 << 20);
    for (let count; (count = fs.readSync(descriptor, buffer)) > 0; received += count)
      hash.update(buffer.subarray(0, count));
    fs.closeSync(descriptor);
  }
  return { received, hash };
}

async function receive(
  repository: Repository,
  file: HubFile,
  partial: string,
  { onProgress, signal }: DownloadOptions,
): Promise<void> {
  const { hub } = repository;
  const started = performance.now();
  let arrived = 0;
  let furthest = 0;
  let spoilt = 0;
  await withRetries(
    hub,
    `${repository.name}: ${file.path}`,
    async (progressed) => {
      let { received, hash } = begun(partial, file);
      const report = () => {
        const rate = arrived / ((performance.now() - started) / 1000 || 1);
        const secondsLeft = rate > 0 ? (file.size - received) / rate : Infinity;
        onProgress?.({ repository: repository.name, file: file.path, received, size: file.size, rate, secondsLeft });
      };
      report();
      if (received < file.size) {
        const { response, alive, done } = await requestOnce(hub, resolveUrl(repository, file.path), {
          headers: received > 0 ? { range: `bytes=${received}-` } : {},
          ...(signal && { signal }),
        });
        if (response.status === 416) {
          done();
          fs.rmSync(partial, { force: true });
          throw new TransientError('the server has nothing behind what was received');
        }
        // A server that ignores the range sends all of it.
        if (received > 0 && response.status !== 206) {
          received = 0;
          hash = hashOf(file);
        }
        const descriptor = fs.openSync(partial, received > 0 ? 'a' : 'w');
        try {
          for await (const bytes of response.body ?? []) {
            const part = bytes as Uint8Array;
            alive();
            // All of it: writeSync takes the part that fits where a disk fills up, without an error.
            fs.writeFileSync(descriptor, part);
            hash.update(part);
            received += part.length;
            arrived += part.length;
            // Not what had been received before: a server that always breaks off would be asked for ever.
            if (received > furthest) {
              furthest = received;
              progressed();
            }
            report();
          }
          fs.fsyncSync(descriptor);
        } catch (error) {
          throw cacheError(error, repository, file);
        } finally {
          done();
          fs.closeSync(descriptor);
        }
      }
      if (file.size === 0) fs.writeFileSync(partial, '');
      // A body without a length may just end.
      if (received < file.size)
        throw new TransientError(`the connection ended after ${received} of ${file.size} bytes`);
      if (received > file.size || (file.blob && hash.digest('hex') !== file.blob)) {
        fs.rmSync(partial, { force: true });
        // Once is a disturbance, and starting over mends it; twice is the server.
        if (spoilt++ === 0) throw new TransientError('the bytes are not those that the hub lists');
        throw new IntegrityError(
          'HUB_FILE_DAMAGED',
          `${file.path} of ${repository.name} arrived with other bytes than the hub lists for it (${file.blob ?? `${file.size} bytes`}), twice. ` +
            'Nothing of it was kept. Try again later; a proxy that changes files, or a broken mirror (HF_ENDPOINT), does this.',
          { name: repository.name, file: file.path },
        );
      }
    },
    signal,
  );
}

const notInCache = ({ name }: Repository, file: string) =>
  new OfflineError(
    'HUB_OFFLINE',
    `${file} of ${name} is not in the cache, and the hub cannot be asked. ${offlineChoices}`,
    { name, file },
  );

/** One file into the cache, unless it is there. */
async function fetchFile(repository: Repository, file: HubFile, options: DownloadOptions): Promise<FetchedFile> {
  const { folder, commit } = repository;
  const fetched = (from: FetchedFile['from']): FetchedFile => ({ file: file.path, size: file.size, from });
  if (fs.existsSync(path.join(snapshotFolder(folder, commit), file.path))) return fetched('cache');
  if (repository.cached) throw notInCache(repository, file.path);
  if (!file.blob)
    throw new EntryNotFoundError('HUB_NO_HASH', `The hub lists no hash for ${file.path} of ${repository.name}.`, {
      name: repository.name,
      file: file.path,
    });
  const blob = path.join(folder, 'blobs', file.blob);
  try {
    let from: FetchedFile['from'] = 'cache';
    if (!fs.existsSync(blob)) {
      fs.mkdirSync(path.dirname(blob), { recursive: true });
      from = await alone(
        blob,
        async (signal) => {
          if (fs.existsSync(blob)) return 'cache';
          // Not Python's `.incomplete`: its lock is not ours.
          const partial = `${blob}.tunebook.incomplete`;
          await receive(repository, file, partial, { ...options, signal });
          if (fs.statSync(partial).size !== file.size) {
            fs.rmSync(partial);
            throw new IntegrityError(
              'HUB_FILE_DAMAGED',
              `${file.path} of ${repository.name} is not on the disk as it was received. Run it again.`,
              { name: repository.name, file: file.path },
            );
          }
          fs.renameSync(partial, blob);
          return 'hub';
        },
        options.signal,
      );
    }
    linkBlob(folder, blob, commit, file.path);
    return fetched(from);
  } catch (error) {
    if (error instanceof GatedRepoError) throw gated(repository.hub, repository.type, repository.name, error);
    throw cacheError(error, repository, file);
  }
}

/**
 * Files of a repository, by their paths in it. When all that somebody needs is there, `rememberRepository` says so.
 * @returns the folder of the commit's files, and where each came from
 * @throws EntryNotFoundError for a path that it does not have, and see withRetries, IntegrityError, CacheError
 */
export async function fetchFiles(
  repository: Repository,
  paths: string[],
  options: DownloadOptions = {},
): Promise<{ folder: string; files: FetchedFile[] }> {
  const wanted = paths.map((name) => {
    const file = repository.files.find(({ path }) => path === name);
    if (!file)
      throw repository.cached
        ? notInCache(repository, name)
        : new EntryNotFoundError(
            'HUB_NO_FILE',
            `${repository.name} has no file ${name}. It has: ${repository.files.map(({ path }) => path).join(', ')}.`,
            { name: repository.name, file: name },
          );
    return file;
  });
  const files: FetchedFile[] = [];
  for (const file of wanted) files.push(await fetchFile(repository, file, options));
  return { folder: snapshotFolder(repository.folder, repository.commit), files };
}

/** Notes the commit for those who are offline. To be called last: they should find one whose files are all there. */
export function rememberRepository({ cached, folder, revision, commit }: Repository): void {
  if (!cached) rememberCommit(folder, revision, commit);
}
