/** Statistics over several seeds, or over the folds of a cross-validation. A single run says little about a method's accuracy. */
import { ArgumentError } from '../errors.js';
import type { Interval } from '../evaluation/interval.js';

/** Student's t for 95 %, by degrees of freedom from 1. Beyond the last, the normal distribution's 1.96 is used. */
const studentT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** Mean and spread of a metric over seeds. */
export interface OverSeeds {
  count: number;
  mean: number;
  /** Sample standard deviation, with n - 1; 0 for one seed. */
  standardDeviation: number;
  /** 95 % confidence interval of the mean by Student's t; of one seed the value itself. */
  interval: Interval;
}

/**
 * The mean, standard deviation and confidence interval of one value per seed.
 * @throws ArgumentError for an empty list
 * @example
 * const { mean, interval } = overSeeds([0.801, 0.785, 0.812]);
 */
export function overSeeds(values: number[]): OverSeeds {
  const count = values.length;
  if (count === 0)
    throw new ArgumentError('ARGUMENT_NO_VALUES', 'The list of values is empty. Pass one value per seed.');
  const mean = values.reduce((a, b) => a + b, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardDeviation = count > 1 ? Math.sqrt(squares / (count - 1)) : 0;
  const halfWidth = ((studentT[count - 2] ?? 1.96) * standardDeviation) / Math.sqrt(count);
  return { count, mean, standardDeviation, interval: { low: mean - halfWidth, high: mean + halfWidth } };
}
