/** Paths of the embedded model and reviews, which set-up installs into the per-user cache and which need no hub. */
import path from 'node:path';
import * as cache from '#setup/cache.mjs';

/** The folder of the embedded DistilBERT. */
export const embeddedModelFolder = cache.embeddedModelFolder();

/** The file of the embedded reviews, as published. */
export const embeddedReviewsFile = path.join(cache.embeddedReviewsFolder(), cache.embeddedReviewsFile);
