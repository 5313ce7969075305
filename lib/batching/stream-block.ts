/**
 * Messages between a ReviewStream and its workers. This module does not load TensorFlow, which the workers do not need.
 */
import { hash } from 'node:crypto';
import { normalizedText, type Dropped, type Reading, type Review } from '../reviews/review.js';
import type { Chunk, RowLocation } from '../reviews/row-file.js';
import type { SettingForm } from '../settings/setting-text.js';
import type { TokenizerFiles } from '../tokenizer/tokenizer.js';

/** Settings of a worker, passed once at its start. */
export interface WorkerSettings {
  files: RowLocation[];
  reading: Reading;
  tokenizerFiles: TokenizerFiles;
  maxTokens: number;
  maxLength: number;
  /** Keys of the texts to exclude, see textKey. */
  without: string[];
  /** How messages name settings. */
  form: SettingForm;
}

/** Consecutive rows of a file, which is given by its index. */
export interface BlockPart {
  file: number;
  chunk: Chunk;
}

/** A block from a worker. */
export interface PackedBlock {
  /** In one buffer that is transferred without a copy: the length and the pair start of each row, then all token ids. */
  packed: Int32Array<ArrayBuffer>;
  /** The label of each row, or a 0 or 1 for each of its classes; float32 represents class numbers exactly. */
  labels: Float32Array;
  rows: number;
  dropped: Dropped;
  /** Number of rows excluded since they belong to validation or test. */
  heldOut: number;
}

/** The key of a review's text, the same for copies of it. */
export const textKey = (review: Review): string => hash('sha1', normalizedText(review)).slice(0, 16);
