/** Formatting of fractions, intervals, durations and sizes. */
import type { Interval } from '../evaluation/interval.js';

/** Formats a fraction: 91.2 %. */
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

/** Formats an interval of fractions: 90.1 to 92.2 %. */
export const percentInterval = ({ low, high }: Interval): string => `${(100 * low).toFixed(1)} to ${percent(high)}`;

/** Formats seconds: 45 s, or 3 min 20 s. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Formats a number of bytes: 8.1 kB, 35 MB, or 1.2 GB. */
export function size(bytes: number): string {
  const [value, unit] = bytes < 1e6 ? [bytes / 1e3, 'kB'] : bytes < 1e9 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB'];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}
