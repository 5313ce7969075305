/** Where set-up puts the embedded model and reviews (data/README.md): what is there without any hub. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const embeddedFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../data/embedded');

/** The embedded DistilBERT's folder. */
export const embeddedModelFolder = path.join(embeddedFolder, 'model');

/** The embedded reviews, as published. */
export const embeddedReviewsFile = path.join(embeddedFolder, 'reviews/amazonReviewSnippets_GroundTruth.txt');
