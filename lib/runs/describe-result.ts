/**
 * The result of a problem type without a single accuracy, in tables and words: what console, report, model card, lists of runs and MLflow
 * show of regression and multi-label classification.
 */
import { describeMultiLabel } from './describe-multi-label.js';
import { describeRegression } from './describe-regression.js';
import {
  isMultiLabel,
  isRegression,
  type MultiLabelRunMetrics,
  type RegressionRunMetrics,
  type RunMetrics,
} from './metrics.js';

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

/** Describes the result of a run of regression or multi-label classification; undefined for other runs. */
export function describeResult(metrics: RegressionRunMetrics | MultiLabelRunMetrics): ResultDescription;
export function describeResult(metrics: RunMetrics | null | undefined): ResultDescription | undefined;
export function describeResult(metrics: RunMetrics | null | undefined): ResultDescription | undefined {
  if (isRegression(metrics)) return describeRegression(metrics);
  return isMultiLabel(metrics) ? describeMultiLabel(metrics) : undefined;
}

/** The metrics of the baselines and the model, a row each. */
export const resultTable = ({ test, baselines }: ResultDescription, modelName: string): Record<string, string>[] =>
  [...baselines, { name: modelName, metrics: test }].map(({ name, metrics }) => ({ model: name, ...metrics }));
