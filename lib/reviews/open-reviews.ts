/**
 * Opens reviews by name: the embedded ones, a local file or folder, or a data set on the hub. The result is always a
 * `ReviewSource`.
 */
import fs from 'node:fs';
import { FileError, ReviewsError } from '../errors.js';
import type { DownloadOptions } from '../hub/download.js';
import { hubOfEnvironment, type Hub } from '../hub/environment.js';
import { isLocalPath } from '../hub/repository.js';
import { settingText } from '../settings/setting-text.js';
import { embeddedReviews } from './embedded.js';
import { isDataFile } from './formats/formats.js';
import type { ReviewsOptions } from './reviews-options.js';
import { openFromHub } from './open-hub.js';
import { openLocal } from './open-local.js';
import type { ReviewSource } from './review-source.js';

/** Whether a name is a local file or folder rather than a data set on the hub. */
export const isFileName = (name: string): boolean => isLocalPath(name, isDataFile);

/**
 * Opens reviews by name.
 * @param name `embedded`, a file or folder in any of the formats of lib/reviews/README.md, or a data set on the hub
 * @param options columns, labels, and what overrides detection
 * @param hub which hub. @default the one that HF_ENDPOINT and related variables describe
 * @throws FileError, HubError, or ReviewsError for a missing column, a malformed line or a source without rows
 * @example
 * const source = await openReviews('reviews.csv', { textColumns: ['title', 'content'], labelColumn: 'stars' });
 */
export async function openReviews(
  name: string,
  options: ReviewsOptions & DownloadOptions = {},
  hub: Hub = hubOfEnvironment(),
): Promise<ReviewSource> {
  if (name === 'embedded') {
    if (options.streaming)
      throw new ReviewsError(
        'REVIEWS_NOT_STREAMABLE',
        `The embedded reviews cannot be streamed: they fit into memory. Remove ${settingText('streaming')}, or name a data set.`,
        { name },
      );
    return embeddedReviews(options);
  }
  if (fs.existsSync(name)) return openLocal(name, options);
  if (isFileName(name))
    throw new FileError('FILE_NOT_FOUND', `There is no file ${name}. Check the path of the reviews.`, {
      path: name,
    });
  return openFromHub(hub, name, options);
}
