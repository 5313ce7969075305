/** Reviews to token ids, with the token types of pairs for models that have them. */
import { ArgumentError } from '../errors.js';
import { labelRow, type Review } from '../reviews/review.js';
import type { ProblemType } from '../settings/problem-type.js';
import { encodeInput, type Tokenizer } from '../tokenizer/tokenizer.js';
import { labelsOf, type EncodedReviews } from './batch.js';
import { hasTokenTypes, type EncoderConfig } from './families/family.js';

/** The labels that a model of each problem type is trained with. */
const labelRules: Record<ProblemType, { isValid: (review: Review, classes: number) => boolean; rule: string }> = {
  single_label_classification: {
    isValid: ({ label }) => Number.isInteger(label),
    rule: 'a class number. Use integers from 0.',
  },
  multi_label_classification: {
    isValid: ({ labels }, classes) =>
      labels?.every((label) => Number.isInteger(label) && label >= 0 && label < classes) ?? false,
    rule: 'a list of class numbers of the model. Give all classes that apply in `labels`, as numbers from 0.',
  },
  regression: { isValid: ({ label }) => Number.isFinite(label), rule: 'a finite number. Regression needs one.' },
};

/**
 * Tokenizes reviews; a review with a `pair` as one sequence of two texts.
 * @param reviews texts with class numbers, or for regression with numbers
 * @param tokenizer of the model
 * @param config of the model, on which it depends whether there are token types
 * @param maxLength maximum sequence length in tokens
 * @param problemType what the labels are. @default 'single_label_classification'
 * @throws ArgumentError for a label that is not an integer, for regression not a finite number, for multi-label classification not
 * integers below the number of classes
 */
export function encodeReviews(
  reviews: Review[],
  tokenizer: Tokenizer,
  config: EncoderConfig,
  maxLength: number,
  problemType: ProblemType = 'single_label_classification',
): EncodedReviews {
  const isMultiLabel = problemType === 'multi_label_classification';
  const classes = Object.keys(config.id2label).length;
  const { isValid, rule } = labelRules[problemType];
  const invalid = reviews.find((review) => !isValid(review, classes));
  if (invalid) {
    const label = isMultiLabel ? invalid.labels : invalid.label;
    throw new ArgumentError(
      'ARGUMENT_LABEL_INVALID',
      `A review has label ${JSON.stringify(label)}, which is not ${rule}`,
      { label },
    );
  }
  const encoded = reviews.map((review) => encodeInput(tokenizer, review, maxLength));
  const hasTypes = hasTokenTypes(config) && reviews.some(({ pair }) => pair !== undefined);
  return {
    ids: encoded.map(({ ids }) => ids),
    ...(hasTypes && { pairStarts: Int32Array.from(encoded, ({ pairStart }) => pairStart) }),
    labels: labelsOf(
      reviews.flatMap((review) => (isMultiLabel ? labelRow(review, classes) : [review.label])),
      problemType,
    ),
  };
}
