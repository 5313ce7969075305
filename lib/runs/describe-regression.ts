/** The metrics of predicted numbers as a table, for the console, report and model card. */
import type { RegressionRunMetrics } from './metrics.js';
import type { RegressionMetrics } from '../evaluation/regression-metrics.js';

/** Formats a number that may be undefined: 0.123, or `–`. */
const optional = (value: number | null): string => value?.toFixed(3).replace('-0.000', '0.000') ?? '–';

/** The metrics of one model as columns of a table. */
export const describeNumberMetrics = (metrics: RegressionMetrics): Record<string, string> => ({
  RMSE: metrics.rootMeanSquaredError.toFixed(3),
  MAE: metrics.meanAbsoluteError.toFixed(3),
  'R²': optional(metrics.r2),
  Pearson: optional(metrics.pearson),
  Spearman: optional(metrics.spearman),
});

/** The metrics of a run's model and of its baselines, a row each. */
export const describeRegression = (
  { test, baselines }: RegressionRunMetrics,
  modelName: string,
): Record<string, string>[] =>
  [...baselines, { name: modelName, ...test }].map((each) => ({ model: each.name, ...describeNumberMetrics(each) }));

/** A sentence on the test result. */
export const summarizeRegression = ({ test, labelNames }: RegressionRunMetrics): string =>
  `Mean absolute error ${test.meanAbsoluteError.toFixed(3)} in '${labelNames[0]}', root mean squared error ${test.rootMeanSquaredError.toFixed(3)}` +
  `${test.r2 === null ? '' : `, R² ${test.r2.toFixed(3)}`}, on ${test.count} test reviews.`;
