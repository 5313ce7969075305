/** The warning about a model that predicts a number no better than the mean. */
import { settingText } from '../settings/setting-text.js';
import type { RegressionMetrics } from './regression-metrics.js';
import { format, type Warning } from './warnings.js';

/**
 * Warns of an R² that is not above that of the mean of the training set.
 * @param test metrics on the test set
 * @param mean metrics of `meanBaseline`
 * @returns an empty list also if R² is undefined, since all labels are equal
 */
export function regressionWarnings({ r2, count }: RegressionMetrics, mean: RegressionMetrics): Warning[] {
  if (r2 === null || mean.r2 === null || r2 > mean.r2) return [];
  return [
    {
      code: 'R2_NOT_ABOVE_MEAN',
      message:
        `R² is ${r2.toFixed(3)} on ${format(count)} test reviews, not above that of always predicting the mean of the training set, ` +
        `${mean.r2.toFixed(3)}. Numbers are not scaled, and the model starts near 0: use more steps (${settingText('epochs')}, ` +
        `${settingText('maxSteps')}) or a higher learning rate (${settingText('learningRate')}).`,
    },
  ];
}
