/**
 * From what a setting names to what is loaded: `embedded`, or something local. Names on the Hugging Face hub are known
 * for what they are and refused: loading from the hub is not there yet.
 */
import fs from 'node:fs';
import { embeddedModelFolder, embeddedReviews } from '../reviews/embedded.js';
import { readReviews, type ReadOptions } from '../reviews/read.js';
import type { ReviewSet } from '../reviews/review.js';

/** A setting names a model or reviews that cannot be had. */
export class SourceError extends Error {
  override name = 'SourceError';
}

const notYet = (name: string, what: string, local: string) =>
  new SourceError(
    `'${name}' is neither 'embedded' nor ${what} on this machine. Loading from the Hugging Face hub is not there yet: ` +
      `download it with another tool and name ${local}, or use 'embedded'.`,
  );

/** The folder of a model. @throws SourceError when there is none */
export function modelFolder(name: string): string {
  if (name === 'embedded') return embeddedModelFolder;
  if (fs.existsSync(name)) return name;
  throw notYet(name, 'a folder', 'its folder');
}

/** Reviews by name. @throws SourceError or ReviewsError */
export async function loadReviews(name: string, options: ReadOptions): Promise<ReviewSet> {
  if (name === 'embedded') return embeddedReviews();
  if (fs.existsSync(name)) return readReviews(name, options);
  throw notYet(name, 'a file', 'the file');
}
