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
}
