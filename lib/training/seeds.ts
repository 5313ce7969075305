/** What several seeds say together: one run is an anecdote. */
import { ArgumentError } from '../errors.js';
import type { Interval } from '../evaluation/metrics.js';

/** Student's t for 95 %, by degrees of freedom from 1; beyond the last the normal's 1.96 is near enough. */
const studentT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
];

/** Mean and spread of a figure over seeds. */
export interface OverSeeds {
  count: number;
  mean: number;
  /** Of the sample, with n - 1; 0 for one seed. */
  standardDeviation: number;
  /** 95 % interval of the mean by Student's t; of one seed the figure itself. */
  interval: Interval;
}

/** @throws ArgumentError for no values */
export function overSeeds(values: number[]): OverSeeds {
  const count = values.length;
  if (count === 0) throw new ArgumentError('ARGUMENT_NO_VALUES', 'There is no value to take the mean of.');
  const mean = values.reduce((a, b) => a + b, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardDeviation = count > 1 ? Math.sqrt(squares / (count - 1)) : 0;
  const half = ((studentT[count - 2] ?? 1.96) * standardDeviation) / Math.sqrt(count);
  return { count, mean, standardDeviation, interval: { low: mean - half, high: mean + half } };
}
