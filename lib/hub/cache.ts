/**
 * The cache that Hugging Face's tools share. `models--owner--name/` contains `blobs/<hash>`, links to the blobs in
 * `snapshots/<commit>/<path>`, and `refs/<branch>` with the commit (huggingface_hub, "Understand caching"). Tunebook
 * and Python tools find each other's downloads.
 */
import fs from 'node:fs';
import path from 'node:path';
import { getRepoFolderName } from '@huggingface/hub';

export type RepositoryType = 'model' | 'dataset';

const isCommit = (revision: string) => /^[0-9a-f]{40}$/.test(revision);

/** The folder of a repository; it need not exist. */
export const repositoryFolder = (cacheFolder: string, type: RepositoryType, name: string): string =>
  path.join(cacheFolder, getRepoFolderName({ type, name }));

/** The folder of a commit's files; it need not exist. */
export const snapshotFolder = (repository: string, commit: string): string =>
  path.join(repository, 'snapshots', commit);

/** The cached commit of a branch or tag, as of the last request; undefined if it is not cached. */
export function cachedCommit(repository: string, revision: string): string | undefined {
  const reference = path.join(repository, 'refs', revision);
  const commit = isCommit(revision)
    ? revision
    : fs.existsSync(reference)
      ? fs.readFileSync(reference, 'utf8').trim()
      : undefined;
  return commit && fs.existsSync(snapshotFolder(repository, commit)) ? commit : undefined;
}

/** Creates a temporary file and renames it, so that concurrent readers see either the old file or the new one. */
function replaceAtomically(target: string, create: (temporary: string) => void): void {
  fs.mkdirSync(path.dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}.new`;
  fs.rmSync(temporary, { force: true });
  create(temporary);
  fs.renameSync(temporary, target);
}

/** Stores the commit of a branch or tag. */
export function writeRef(repository: string, revision: string, commit: string): void {
  const target = path.join(repository, 'refs', revision);
  if (!isCommit(revision)) replaceAtomically(target, (temporary) => fs.writeFileSync(temporary, commit));
}

/** Links a file of a snapshot to its blob. */
export function linkBlob(repository: string, blob: string, commit: string, file: string): void {
  const target = path.join(snapshotFolder(repository, commit), file);
  replaceAtomically(target, (temporary) => fs.symlinkSync(path.relative(path.dirname(target), blob), temporary));
}

/** The files of a snapshot that exist, with their sizes. */
export function cachedFiles(repository: string, commit: string): { path: string; size: number }[] {
  const snapshot = snapshotFolder(repository, commit);
  return fs
    .readdirSync(snapshot, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.existsSync(path.join(snapshot, name)) && fs.statSync(path.join(snapshot, name)).isFile())
    .map((name) => ({ path: name.split(path.sep).join('/'), size: fs.statSync(path.join(snapshot, name)).size }));
}
