/** Reviews to token ids, with the token types of pairs for models that have them. */
import { ArgumentError } from '../errors.js';
import type { Review } from '../reviews/review.js';
import { encodeInput, type Tokenizer } from '../tokenizer/tokenizer.js';
import { labelsOf, type EncodedReviews } from './batch.js';
import { hasTokenTypes, type EncoderConfig } from './families/family.js';

/**
 * Tokenizes reviews; a review with a `pair` as one sequence of two texts.
 * @param reviews texts with class numbers, or for regression with numbers
 * @param tokenizer of the model
 * @param config of the model, on which it depends whether there are token types
 * @param maxLength maximum sequence length in tokens
 * @param isNumeric whether labels are numbers to predict rather than class numbers
 * @throws ArgumentError for a label that is not an integer, or for regression not a finite number
 */
export function encodeReviews(
  reviews: Review[],
  tokenizer: Tokenizer,
  config: EncoderConfig,
  maxLength: number,
  isNumeric = false,
): EncodedReviews {
  const isValid = isNumeric ? Number.isFinite : Number.isInteger;
  const invalid = reviews.find(({ label }) => !isValid(label));
  if (invalid)
    throw new ArgumentError(
      'ARGUMENT_LABEL_INVALID',
      `A review has label ${JSON.stringify(invalid.label)}, which is not a ` +
        (isNumeric ? 'finite number. Regression needs one.' : 'class number. Use integers from 0.'),
      { label: invalid.label },
    );
  const encoded = reviews.map((review) => encodeInput(tokenizer, review, maxLength));
  const hasTypes = hasTokenTypes(config) && reviews.some(({ pair }) => pair !== undefined);
  return {
    ids: encoded.map(({ ids }) => ids),
    ...(hasTypes && { pairStarts: Int32Array.from(encoded, ({ pairStart }) => pairStart) }),
    labels: labelsOf(
      reviews.map(({ label }) => label),
      isNumeric,
    ),
  };
}
