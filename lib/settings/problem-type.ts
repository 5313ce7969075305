/** What a model with a classification head predicts: `problem_type` of `transformers`. */

/** Supported problem types; regression predicts one number. */
export const problemTypes = ['single_label_classification', 'regression'] as const;

/** What a model with a classification head predicts. */
export type ProblemType = (typeof problemTypes)[number];
