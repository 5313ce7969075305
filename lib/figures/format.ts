/** Shares, intervals, durations and sizes as text. */
import type { Interval } from '../evaluation/metrics.js';

/** A share: 91.2 %. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** An interval of shares: 90.1 to 92.2 %. */
export const percentInterval = ({ low, high }: Interval): string => `${(100 * low).toFixed(1)} to ${percent(high)}`;

/** Seconds as a person says them. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Bytes as a person says them. */
export function size(bytes: number): string {
  const [value, unit] = bytes < 1e6 ? [bytes / 1e3, 'kB'] : bytes < 1e9 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB'];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}
