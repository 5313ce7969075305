/** Times of Arrow and Parquet, which are counts of units since 1970, in ISO 8601: exact, also in nanoseconds. */

/**
 * A point in time as in `2024-05-01T10:00:00.000Z`, with at least three digits after the point.
 * @param count number of units since 1970
 * @param digits digits of a second that a unit is: 0 for seconds, 3 for ms, 6 for µs, 9 for ns
 */
export function isoTime(count: bigint, digits: number): string {
  const unitsPerSecond = 10n ** BigInt(digits);
  const rest = ((count % unitsPerSecond) + unitsPerSecond) % unitsPerSecond;
  const date = new Date(Number((count - rest) / unitsPerSecond) * 1000);
  // Beyond the year 275760.
  if (Number.isNaN(date.getTime())) return String(count);
  let fraction = digits === 0 ? '000' : String(rest).padStart(digits, '0');
  while (fraction.length > 3 && fraction.endsWith('000')) fraction = fraction.slice(0, -3);
  return date.toISOString().replace(/\.\d+Z$/, `.${fraction}Z`);
}

/** A day as in `2024-05-01`. */
export const isoDay = (daysSince1970: number): string =>
  isoTime(BigInt(daysSince1970) * 86_400n, 0).replace(/T.*$/, '');
