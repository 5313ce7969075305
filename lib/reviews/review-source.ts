/** An open source of reviews, independent of format and location. */
import type { SplitName } from '../hub/dataset.js';
import type { Dropped, Reading } from './review.js';
import type { RowFile, RowLocation } from './row-file.js';

/** A file of a source and where it is read from. */
export interface SourceFile {
  file: string;
  /** Bytes. */
  size: number;
  /** `hub, by ranges`: only the necessary ranges are read, and nothing is cached. */
  from: 'embedded' | 'local' | 'hub' | 'cache' | 'hub, by ranges';
}

/** A file of a folder that is not read. */
export interface SkippedFile {
  file: string;
  /** As in `it has no column 'label'`. */
  reason: string;
}

/** Reviews that can be read: sampled by `sampleReviews`, or streamed by a `ReviewStream`. */
export interface ReviewSource {
  /** For messages and reports. */
  name: string;
  /** Files by split of the data set. A single file is `train`; in a folder, the file names determine the split. */
  splits: Partial<Record<SplitName, RowFile[]>>;
  /** Where the files are, for workers; empty if the rows are in memory. */
  locations: Partial<Record<SplitName, RowLocation[]>>;
  reading: Reading;
  /** Class names by class number. */
  labelNames: string[];
  /** Rows left out so far, among those that were read. */
  dropped: Dropped;
  files: SourceFile[];
  /** Files of a folder that are not read. */
  skipped: SkippedFile[];
  /** Number of rows by class number; undefined if all rows must be read to know it. */
  classCounts?: number[];
  /** What should be known about the reading, a sentence each: spellings that are one class, rows left out. */
  notes: string[];
  /** Of the reviews that `loadReviews` sampled and their labels. @default before sampling */
  fingerprint?: string;
}
