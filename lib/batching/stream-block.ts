/** What a ReviewStream and its workers tell each other. Nothing here loads TensorFlow: a worker has no use for it. */
import { hash } from 'node:crypto';
import { normalizedText, type Dropped, type Reading } from '../reviews/review.js';
import type { Chunk, RowLocation } from '../reviews/row-file.js';
import type { TokenizerFiles } from '../tokenizer/tokenizer.js';

/** What each worker is told once. */
export interface WorkerSettings {
  files: { location: RowLocation; columns: string[] }[];
  reading: Reading;
  tokenizerFiles: TokenizerFiles;
  maxTokens: number;
  maxLength: number;
  /** Of texts to be left out, see textKey. */
  without: string[];
}

/** A run of rows of a file, by the file's number. */
export interface BlockPart {
  file: number;
  chunk: Chunk;
}

/** A block as it comes from a worker: lengths and labels a row, then all token ids. One piece of memory, handed over, not copied. */
export interface PackedBlock {
  packed: Int32Array<ArrayBuffer>;
  rows: number;
  dropped: Dropped;
  /** Rows left out since they are to choose or to test by. */
  heldOut: number;
}

/** A text as a key by which copies are found. */
export const textKey = (text: string): string => hash('sha1', normalizedText(text)).slice(0, 16);
