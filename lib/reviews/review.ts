/** What a review is here, wherever it came from. */
import type { ReviewTable } from './table.js';

export interface Review {
  text: string;
  /** Class number: an index into the set's label names. */
  label: number;
}

/** Reviews as they were read, with what was left out. */
export interface ReviewSet {
  table: ReviewTable;
  labelNames: string[];
  /** Rows left out, by reason; all are counted, none is silently lost. */
  dropped: { emptyText: number; missingLabel: number; belowThreshold: number };
  /** Where they came from, for the reader. */
  source: string;
}

/** Reviews that cannot be used; the message says which and what would help. */
export class ReviewsError extends Error {
  override name = 'ReviewsError';
}

/** What was left out, in words; empty when nothing was. */
export function describeDropped({ emptyText, missingLabel, belowThreshold }: ReviewSet['dropped']): string {
  return [
    [emptyText, 'without text'],
    [missingLabel, 'without a label'],
    [belowThreshold, 'rated too close to neutral'],
  ]
    .filter(([count]) => count)
    .map(([count, what]) => `${count} ${what}`)
    .join(', ');
}
