/** Reviews that are open and can be read, whatever their format and place. */
import type { SplitName } from '../hub/dataset.js';
import type { Dropped, Reading } from './review.js';
import type { RowFile, RowLocation } from './row-file.js';

/** A file of a source, and where it is read from. */
export interface SourceFile {
  file: string;
  /** Bytes. */
  size: number;
  /** `hub, by ranges`: only what is needed of it is read, and nothing is kept. */
  from: 'embedded' | 'local' | 'hub' | 'cache' | 'hub, by ranges';
}

/** Reviews that can be read: sampled by `sampleReviews`, or streamed by a `ReviewStream`. */
export interface ReviewSource {
  /** For the reader. */
  name: string;
  /** The files of each of the data set's own parts; a single file is all of `train`, files of a folder by their names. */
  splits: Partial<Record<SplitName, RowFile[]>>;
  /** Where the files are, for workers; none for what is in memory. */
  locations: Partial<Record<SplitName, RowLocation[]>>;
  reading: Reading;
  /** Class names in order of their numbers. */
  labelNames: string[];
  /** Rows left out so far, of those that were read. */
  dropped: Dropped;
  files: SourceFile[];
}
