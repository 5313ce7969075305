/** Reviews as token ids, for what fits into memory; larger sets are streamed (stream.ts). */
import type { Review } from '../reviews/review.js';
import type { EncodedReviews } from './batches.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** Encodes labelled texts for training and evaluation. */
export function encodeReviews(tokenizer: Tokenizer, reviews: Review[], maxLength = 512): EncodedReviews {
  return {
    ids: reviews.map(({ text }) => tokenizer.encode(text, maxLength)),
    labels: Int32Array.from(reviews, ({ label }) => label),
  };
}
