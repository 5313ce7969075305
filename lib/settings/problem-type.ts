/** What a model with a classification head predicts: `problem_type` of `transformers`. */

/** What a model with a classification head predicts: one of several classes, those of several classes that apply, or (regression) a number. */
export type ProblemType = 'single_label_classification' | 'multi_label_classification' | 'regression';

/** The supported problem types. */
export const problemTypes = [
  'single_label_classification',
  'multi_label_classification',
  'regression',
] as const satisfies ProblemType[];
