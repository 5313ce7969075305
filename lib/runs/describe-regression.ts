/** The result of a regression in tables and words. */
import type { RegressionRunMetrics } from './metrics.js';
import type { RegressionMetrics } from '../evaluation/regression-metrics.js';
import type { ResultDescription } from './result-description.js';

/** Formats a number that may be undefined: 0.123, or `–`. */
const optional = (value: number | null): string => value?.toFixed(3).replace('-0.000', '0.000') ?? '–';

/** The metrics of one model as columns of a table. */
const columnsOf = (metrics: RegressionMetrics): Record<string, string> => ({
  RMSE: metrics.rootMeanSquaredError.toFixed(3),
  MAE: metrics.meanAbsoluteError.toFixed(3),
  'R²': optional(metrics.r2),
  Pearson: optional(metrics.pearson),
  Spearman: optional(metrics.spearman),
});

/** Describes the result of a regression. */
export function describeRegression({ test, baselines, labelNames, errors }: RegressionRunMetrics): ResultDescription {
  const { meanAbsoluteError, rootMeanSquaredError, r2, count } = test;
  return {
    title: 'Review regression',
    predicts: `Predicts the number '${labelNames[0]}' of a review. The only logit is the number (problem_type regression).`,
    loss: 'mean squared error',
    summary:
      `Mean absolute error ${meanAbsoluteError.toFixed(3)} in '${labelNames[0]}', root mean squared error ${rootMeanSquaredError.toFixed(3)}` +
      `${r2 === null ? '' : `, R² ${r2.toFixed(3)}`}, on ${count} test reviews.`,
    short: `MAE ${meanAbsoluteError.toFixed(3)}${r2 === null ? '' : `, R² ${r2.toFixed(3)}`}`,
    subject: `${count} reviews, '${labelNames[0]}'`,
    test: columnsOf(test),
    baselines: baselines.map((each) => ({ name: each.name, metrics: columnsOf(each) })),
    classes: [],
    errors: {
      title: 'The largest errors:',
      rows: errors.map((row) => ({ ...row, predicted: Number(row.predicted.toFixed(3)) })),
    },
  };
}
