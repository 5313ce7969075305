/** Paths of the embedded model and reviews (data/README.md), which set-up installs and which need no hub. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const embeddedFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../data/embedded');

/** The folder of the embedded DistilBERT. */
export const embeddedModelFolder = path.join(embeddedFolder, 'model');

/** The file of the embedded reviews, as published. */
export const embeddedReviewsFile = path.join(embeddedFolder, 'reviews/amazonReviewSnippets_GroundTruth.txt');
