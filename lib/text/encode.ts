/** Whole tables as token ids, for what fits into memory; larger sets are streamed (stream.ts). */
import { reviewsOf, type ReviewTable } from '../reviews/table.js';
import type { EncodedReviews } from './batches.js';
import type { Tokenizer } from './tokenizer.js';

/** Encodes labelled texts for training and evaluation. */
export function encodeReviews(tokenizer: Tokenizer, table: ReviewTable, maxLength = 512): EncodedReviews {
  const reviews = reviewsOf(table);
  return {
    ids: reviews.map(({ text }) => tokenizer.encode(text, maxLength)),
    labels: Int32Array.from(reviews, ({ label }) => label),
  };
}
