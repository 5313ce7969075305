/** Opens a data set on the hub, which is Parquet. Only the necessary parts are read, unless it is streamed. */
import fs from 'node:fs';
import path from 'node:path';
import { openDataset, type SplitName } from '../hub/dataset.js';
import { fetchFiles, resolveUrl, writeRepositoryRef, type DownloadOptions } from '../hub/download.js';
import type { Hub } from '../hub/environment.js';
import { snapshotFolder } from '../hub/cache.js';
import { remoteFile } from '../hub/remote-file.js';
import { createSource, type SourceCandidate } from './create-source.js';
import { openParquet } from './formats/parquet.js';
import type { ReviewsOptions } from './reviews-options.js';
import type { ReviewSource, SourceFile } from './review-source.js';
import type { ParquetPlace } from './row-file.js';

/**
 * Opens a data set on the hub.
 * @throws HubError, ReviewsError
 */
export async function openFromHub(
  hub: Hub,
  name: string,
  options: ReviewsOptions & DownloadOptions,
): Promise<ReviewSource> {
  const { repository, card, splits, classNames } = await openDataset(hub, name, options.datasetConfig);
  const snapshot = snapshotFolder(repository.folder, repository.commit);
  const paths = Object.values(splits).flatMap((list) => list.map(({ path }) => path));
  // Offline, all files must be in the cache; otherwise fetchFiles throws.
  const fetched = options.streaming || repository.cached ? (await fetchFiles(repository, paths, options)).files : [];
  if (options.streaming) [repository, card].forEach(writeRepositoryRef);
  const candidates: SourceCandidate[] = [];
  const files: SourceFile[] = [];
  for (const [split, list] of Object.entries(splits) as [SplitName, { path: string; size: number }[]][])
    for (const { path: file, size } of list) {
      const local = path.join(snapshot, file);
      const isLocal = fs.existsSync(local);
      const from = fetched.find((entry) => entry.file === file)?.from ?? (isLocal ? 'cache' : 'hub, by ranges');
      files.push({ file, size, from });
      const fileName = `${repository.name}: ${file}`;
      const place: ParquetPlace = isLocal ? { path: local } : { url: resolveUrl(repository, file), size };
      const opened = await openParquet(fileName, place, (url, bytes) => remoteFile(hub, url, bytes));
      candidates.push({
        name: fileName,
        split,
        content: { file: opened, location: { name: fileName, parquet: place } },
      });
    }
  return createSource(`${repository.id} on the hub`, candidates, options, { files }, classNames);
}
