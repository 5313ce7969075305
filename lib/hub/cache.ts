/**
 * The cache that Hugging Face's tools share: `models--owner--name/` holds `blobs/<hash>`, `snapshots/<commit>/<path>` as
 * links to them, and `refs/<branch>` with the commit (huggingface_hub, "Understand caching"). What Python tools have
 * downloaded is found here, and the other way round.
 */
import fs from 'node:fs';
import path from 'node:path';
import { getRepoFolderName } from '@huggingface/hub';

export type RepositoryType = 'model' | 'dataset';

const isCommit = (revision: string) => /^[0-9a-f]{40}$/.test(revision);

/** The folder of a repository, whether it is there or not. */
export const repositoryFolder = (cacheFolder: string, type: RepositoryType, name: string): string =>
  path.join(cacheFolder, getRepoFolderName({ type, name }));

/** The folder of a commit's files, whether it is there or not. */
export const snapshotFolder = (repository: string, commit: string): string =>
  path.join(repository, 'snapshots', commit);

/** The commit that a branch or tag had when it was last asked for. */
export function cachedCommit(repository: string, revision: string): string | undefined {
  const reference = path.join(repository, 'refs', revision);
  const commit = isCommit(revision)
    ? revision
    : fs.existsSync(reference)
      ? fs.readFileSync(reference, 'utf8').trim()
      : undefined;
  return commit && fs.existsSync(snapshotFolder(repository, commit)) ? commit : undefined;
}

/** Writes aside and renames, so that who reads at the same time sees the old or the new, never a part. */
function inPlace(target: string, make: (aside: string) => void): void {
  fs.mkdirSync(path.dirname(target), { recursive: true });
  const aside = `${target}.${process.pid}.new`;
  fs.rmSync(aside, { force: true });
  make(aside);
  fs.renameSync(aside, target);
}

/** Notes which commit a branch or tag has. */
export function rememberCommit(repository: string, revision: string, commit: string): void {
  if (!isCommit(revision)) inPlace(path.join(repository, 'refs', revision), (aside) => fs.writeFileSync(aside, commit));
}

/** Puts a blob into a snapshot under its path. */
export function linkBlob(repository: string, blob: string, commit: string, file: string): void {
  const target = path.join(snapshotFolder(repository, commit), file);
  inPlace(target, (aside) => fs.symlinkSync(path.relative(path.dirname(target), blob), aside));
}

/** The files of a snapshot that are really there, with their sizes. */
export function cachedFiles(repository: string, commit: string): { path: string; size: number }[] {
  const snapshot = snapshotFolder(repository, commit);
  return fs
    .readdirSync(snapshot, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.existsSync(path.join(snapshot, name)) && fs.statSync(path.join(snapshot, name)).isFile())
    .map((name) => ({ path: name.split(path.sep).join('/'), size: fs.statSync(path.join(snapshot, name)).size }));
}
