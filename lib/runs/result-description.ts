/** What tables and sentences show of the result of a problem type without a single accuracy, see describe-result.ts. */

/** The description of a result. */
export interface ResultDescription {
  /** Title of the model card. */
  title: string;
  /** What the model predicts. */
  predicts: string;
  /** Name of the loss. */
  loss: string;
  /** A sentence on the test result. */
  summary: string;
  /** The test result in a few words. */
  short: string;
  /** What was tested. */
  subject: string;
  /** The metrics of the model on the test set, by name. */
  test: Record<string, string>;
  baselines: { name: string; metrics: Record<string, string> }[];
  /** Rows of a table of the classes; empty without classes. */
  classes: Record<string, string>[];
  errors: { title: string; rows: Record<string, string | number>[] };
}

/** The metrics of the baselines and the model, a row each. */
export const resultTable = ({ test, baselines }: ResultDescription, modelName: string): Record<string, string>[] =>
  [...baselines, { name: modelName, metrics: test }].map(({ name, metrics }) => ({ model: name, ...metrics }));
