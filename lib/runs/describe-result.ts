/**
 * The result of a problem type without a single accuracy, in tables and words: what console, report, model card, lists of runs and MLflow
 * show of regression and multi-label classification.
 */
import { describeMultiLabel } from './describe-multi-label.js';
import { describeRegression } from './describe-regression.js';
import type { ResultDescription } from './result-description.js';
import {
  isMultiLabel,
  isRegression,
  type MultiLabelRunMetrics,
  type RegressionRunMetrics,
  type RunMetrics,
} from './metrics.js';

/** Describes the result of a run of regression or multi-label classification; undefined for other runs. */
export function describeResult(metrics: RegressionRunMetrics | MultiLabelRunMetrics): ResultDescription;
export function describeResult(metrics: RunMetrics | null | undefined): ResultDescription | undefined;
export function describeResult(metrics: RunMetrics | null | undefined): ResultDescription | undefined {
  if (isRegression(metrics)) return describeRegression(metrics);
  return isMultiLabel(metrics) ? describeMultiLabel(metrics) : undefined;
}
