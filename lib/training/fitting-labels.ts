/** Whether the labels of tokenized reviews, and the logits of a teacher, fit the model that is trained. */
import { ArgumentError } from '../errors.js';
import type { EncodedReviews } from '../model/batch.js';
import type { TextClassifier } from '../model/text-classifier.js';
import type { ProblemType } from '../settings/problem-type.js';

/** The labels of each problem type. */
const rules: Record<
  ProblemType,
  { isValid: (label: number, labels: string[]) => boolean; message: (label: number, labels: string[]) => string }
> = {
  single_label_classification: {
    isValid: (label, labels) => label in labels,
    message: (label, labels) =>
      `A review has label ${label}, but the model has ${labels.length} labels, from 0 (${labels.join(', ')}). ` +
      'Load the model with the labels of the reviews: TextClassifier.load(name, { labels }).',
  },
  multi_label_classification: {
    isValid: (label) => label === 0 || label === 1,
    message: (label) => `A review has the label ${label}. For each class, it must be 0 or 1.`,
  },
  regression: {
    isValid: Number.isFinite,
    message: (label) => `A review has the number ${label}, which is not finite. Correct it, or leave the review out.`,
  },
};

/** @throws ArgumentError for a label that the classifier does not have, or logits of a teacher for another model or number of rows */
export function assertFits(
  { ids, labels, teacherLogits }: EncodedReviews,
  { labels: names, problemType }: TextClassifier,
): void {
  const { isValid, message } = rules[problemType];
  const invalid = labels.find((label) => !isValid(label, names));
  if (invalid !== undefined)
    throw new ArgumentError('ARGUMENT_LABEL_INVALID', message(invalid, names), { label: invalid, labels: names });
  const width = problemType === 'multi_label_classification' ? names.length : 1;
  if (labels.length !== ids.length * width)
    throw new ArgumentError(
      'ARGUMENT_SHAPE_MISMATCH',
      `There are ${labels.length} labels. ${ids.length} reviews need ${ids.length} * ${width}: ${width === 1 ? 'one each' : 'one for each review and label of the model'}.`,
      { expected: [ids.length, width], actual: labels.length },
    );
  if (!teacherLogits) return;
  if (problemType !== 'single_label_classification')
    throw new ArgumentError(
      'ARGUMENT_PROBLEM_TYPE',
      'The rows have teacherLogits, but distillation is for models that predict one class. Remove them.',
      { problemType },
    );
  const expected = [ids.length, names.length] as const;
  if (teacherLogits.length !== expected[0] * expected[1])
    throw new ArgumentError(
      'ARGUMENT_SHAPE_MISMATCH',
      `teacherLogits has ${teacherLogits.length} values. It needs ${expected.join(' * ')}: one for each row and label of the model.`,
      { expected, actual: teacherLogits.length },
    );
}
