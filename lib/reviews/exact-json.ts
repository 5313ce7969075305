/**
 * JSON that keeps what JSON.parse and JSON.stringify change: integers beyond 2^53, such as ids of tweets, are bigints, and
 * bytes are base64. A value of a row as text, for files without objects and lists.
 */
import { parse, stringify } from 'lossless-json';

/** Whether a value is or contains an integer whose digits JSON.parse has rounded. */
function containsLargeInteger(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (typeof value !== 'object' || value === null) return false;
  for (const each of Object.values(value)) if (containsLargeInteger(each)) return true;
  return false;
}

/** A number from its text: a bigint if it is an integer beyond 2^53. */
export const exactNumber = (text: string): number | bigint => {
  const number = Number(text);
  return Number.isSafeInteger(number) || !/^-?\d+$/.test(text) ? number : BigInt(text);
};

/**
 * Parses JSON. Only text with integers beyond 2^53 is parsed a second time, since that is slower.
 * @throws SyntaxError
 */
export function parseExact(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!containsLargeInteger(value)) return value;
  return parse(text, undefined, { parseNumber: exactNumber, onDuplicateKey: ({ newValue }) => newValue });
}

const bytesAsBase64 = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;

/** Serializes a value as JSON on one line; undefined becomes null. */
export const stringifyExact = (value: unknown): string => stringify(value, bytesAsBase64) ?? 'null';

/** A value for a cell of delimited text: dates in ISO 8601, bytes in base64, objects and lists as JSON. */
export function cellOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  return value instanceof Uint8Array ? bytesAsBase64('', value) : stringifyExact(value);
}
