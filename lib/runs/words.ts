/** Numbers of runs, as reports say them. */
import type { Interval } from '../training/metrics.js';

/** A share: 91.2 %. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** An interval of shares: 90.1 to 92.2 %. */
export const percentInterval = ({ low, high }: Interval): string => `${(100 * low).toFixed(1)} to ${percent(high)}`;
