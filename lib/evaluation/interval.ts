/** Confidence intervals of proportions, such as accuracies. */

/** Bounds of a confidence interval of a proportion, from 0 to 1. */
export interface Interval {
  low: number;
  high: number;
}

/** An accuracy of a model, or of a group of rows, with its 95 % confidence interval. */
export interface NamedAccuracy {
  /** The model or the group of rows. */
  name: string;
  /** From 0 to 1. */
  accuracy: number;
  interval: Interval;
}

/**
 * The Wilson score interval of a proportion (Wilson, 1927), which unlike the normal approximation is also valid near 0
 * and 1.
 * @param z quantile of the normal distribution. @default 1.959964, for 95 %
 */
export function wilsonInterval(successes: number, count: number, z = 1.959964): Interval {
  if (count === 0) return { low: 0, high: 1 };
  const proportion = successes / count;
  const spread = (z * z) / count;
  const middle = (proportion + spread / 2) / (1 + spread);
  const halfWidth = (z / (1 + spread)) * Math.sqrt((proportion * (1 - proportion)) / count + spread / (4 * count));
  return { low: Math.max(0, middle - halfWidth), high: Math.min(1, middle + halfWidth) };
}
