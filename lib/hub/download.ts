/**
 * Downloads of a repository's files into the cache. Interrupted downloads resume. Files are verified by size and hash
 * before they become visible. If two processes need the same file, one downloads it and the other waits.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheError, EntryNotFoundError, GatedRepoError, IntegrityError, OfflineError } from '../errors.js';
import { offlineChoices } from './offline-choices.js';
import { linkBlob, snapshotFolder, writeRef } from './cache.js';
import { gatedError, type HubFile, type Repository } from './repository.js';
import { TransientError, requestOnce, withRetries } from './request.js';

/** Progress of a download. */
export interface DownloadProgress {
  /** Name of the model or data set. */
  repository: string;
  file: string;
  /** Bytes received, including those of an interrupted download. */
  received: number;
  size: number;
  /** Bytes per second since this download started or resumed. */
  rate: number;
  secondsLeft: number;
}

/** A file and where it came from. */
export interface FetchedFile {
  file: string;
  size: number;
  from: 'hub' | 'cache';
}

/** Progress and cancellation of downloads. */
export interface DownloadOptions {
  /** Called as bytes arrive. */
  onProgress?: (progress: DownloadProgress) => void;
  /** Cancels a download. The bytes received are kept, and the next download resumes after them. */
  signal?: AbortSignal;
}

/** Creates the hash that names a blob: git's (sha1) for a small file, sha256 for a large one. */
function hashOf(file: HubFile) {
  if (/^[0-9a-f]{64}$/.test(file.blob ?? '')) return createHash('sha256');
  return createHash('sha1').update(`blob ${file.size}\0`);
}

/** The download URL of a file. */
export const resolveUrl = ({ hub, type, id, commit }: Repository, file: string): string =>
  `${hub.endpoint}/${type === 'dataset' ? 'datasets/' : ''}${id}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`;

/** Seconds after which the lock of a process that has ended expires. */
const staleSeconds = 5;

/** Runs `work` while holding a lock on a blob, so that no other process downloads it. */
async function withLock<T>(blob: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
  // Loaded lazily: the module handles signals as soon as it is loaded.
  const { default: lockfile } = await import('proper-lockfile');
  const lost = new AbortController();
  const lock = () =>
    lockfile.lock(blob, {
      realpath: false,
      lockfilePath: `${blob}.tunebook.lock`,
      stale: staleSeconds * 1000,
      update: 1000,
      onCompromised: () => lost.abort(new Error('Another process has taken over the download.')),
    });
  let release: (() => Promise<void>) | undefined;
  while (!release)
    try {
      release = await lock();
    } catch (error) {
      // Wait only while another process holds the lock; other errors are permanent.
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

/** Converts the error of a failed write; other errors are returned unchanged. */
function cacheError(error: unknown, repository: Repository, file: HubFile): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const where = repository.hub.cacheFolder;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new CacheError(
      'HUB_CACHE_FULL',
      `The disk is full: ${file.path} (${megabytes(file.size)}) does not fit into ${where}. ` +
        'Free some space, or set HF_HOME to a folder on another disk. The bytes received are kept.',
      { folder: where, file: file.path },
    );
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')
    return new CacheError(
      'HUB_CACHE_NOT_WRITABLE',
      `The cache ${where} is not writable (${code}). Set HF_HOME to a writable folder.`,
      { folder: where, systemCode: code },
    );
  return error;
}

/** Reads an interrupted download: its size, and the hash of its bytes. */
function readPartial(partial: string, file: HubFile): { received: number; hash: ReturnType<typeof createHash> } {
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

/** Downloads a file to `partial`, with retries, and verifies it. */
async function download(
  repository: Repository,
  file: HubFile,
  partial: string,
  { onProgress, signal }: DownloadOptions,
): Promise<void> {
  const { hub } = repository;
  const started = performance.now();
  let receivedNow = 0;
  let maxReceived = 0;
  let corruptDownloads = 0;
  await withRetries(
    hub,
    `${repository.name}: ${file.path}`,
    async (progressed) => {
      let { received, hash } = readPartial(partial, file);
      const report = () => {
        const rate = receivedNow / ((performance.now() - started) / 1000 || 1);
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
          throw new TransientError('the server has no bytes after those received');
        }
        // A server that ignores the range sends the whole file.
        if (received > 0 && response.status !== 206) {
          received = 0;
          hash = hashOf(file);
        }
        const descriptor = fs.openSync(partial, received > 0 ? 'a' : 'w');
        try {
          for await (const bytes of response.body ?? []) {
            const part = bytes as Uint8Array;
            alive();
            // Not fs.writeSync, which writes only some of the bytes without an error if the disk is almost full.
            fs.writeFileSync(descriptor, part);
            hash.update(part);
            received += part.length;
            receivedNow += part.length;
            // Only new bytes count as progress: otherwise a server that always disconnects would be retried forever.
            if (received > maxReceived) {
              maxReceived = received;
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
      // A response without a length may end early.
      if (received < file.size)
        throw new TransientError(`the connection ended after ${received} of ${file.size} bytes`);
      if (received > file.size || (file.blob && hash.digest('hex') !== file.blob)) {
        fs.rmSync(partial, { force: true });
        // Corruption may be transient the first time; the second time the server is at fault.
        if (corruptDownloads++ === 0) throw new TransientError("the bytes received do not match the hub's hash");
        throw new IntegrityError(
          'HUB_FILE_DAMAGED',
          `${file.path} of ${repository.name} was downloaded twice and did not match the hub's ` +
            `${file.blob ? `hash (${file.blob})` : `size (${file.size} bytes)`}. The bytes were deleted. ` +
            'Try again later, and check for a proxy that changes files or a broken mirror (HF_ENDPOINT).',
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
    `${file} of ${name} is not in the cache, and the hub is not available. ${offlineChoices()}`,
    { name, file },
  );

/** Downloads a file into the cache, unless it is cached. */
async function fetchFile(repository: Repository, file: HubFile, options: DownloadOptions): Promise<FetchedFile> {
  const { folder, commit } = repository;
  const fetched = (from: FetchedFile['from']): FetchedFile => ({ file: file.path, size: file.size, from });
  if (fs.existsSync(path.join(snapshotFolder(folder, commit), file.path))) return fetched('cache');
  if (repository.cached) throw notInCache(repository, file.path);
  if (!file.blob)
    throw new EntryNotFoundError(
      'HUB_NO_HASH',
      `The hub lists no hash for ${file.path} of ${repository.name}, so that it cannot be verified. Check HF_ENDPOINT.`,
      { name: repository.name, file: file.path },
    );
  const blob = path.join(folder, 'blobs', file.blob);
  try {
    let from: FetchedFile['from'] = 'cache';
    if (!fs.existsSync(blob)) {
      fs.mkdirSync(path.dirname(blob), { recursive: true });
      from = await withLock(
        blob,
        async (signal) => {
          if (fs.existsSync(blob)) return 'cache';
          // Not `.incomplete`, which Python tools use with another lock.
          const partial = `${blob}.tunebook.incomplete`;
          await download(repository, file, partial, { ...options, signal });
          if (fs.statSync(partial).size !== file.size) {
            fs.rmSync(partial);
            throw new IntegrityError(
              'HUB_FILE_DAMAGED',
              `${file.path} of ${repository.name} has the wrong size on disk. Run the command again.`,
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
    if (error instanceof GatedRepoError) throw gatedError(repository.hub, repository.type, repository.name, error);
    throw cacheError(error, repository, file);
  }
}

/**
 * Downloads files of a repository, or finds them in the cache. When all files have been fetched, call
 * `writeRepositoryRef`.
 * @returns the folder of the commit's files, and where each file came from
 * @throws EntryNotFoundError for a path that does not exist, IntegrityError, CacheError, and the errors of withRetries
 */
export async function fetchFiles(
  repository: Repository,
  paths: string[],
  options: DownloadOptions = {},
): Promise<{ folder: string; files: FetchedFile[] }> {
  const requested = paths.map((name) => {
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
  for (const file of requested) files.push(await fetchFile(repository, file, options));
  return { folder: snapshotFolder(repository.folder, repository.commit), files };
}

/** Stores the commit of the revision for offline use. Call it last: the commit's files must be complete. */
export function writeRepositoryRef({ cached, folder, revision, commit }: Repository): void {
  if (!cached) writeRef(folder, revision, commit);
}
