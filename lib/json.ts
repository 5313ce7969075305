/** JSON with NaN and infinities: a metric can be NaN, and the best score is infinite before the first evaluation. */

const notFinite = ['NaN', 'Infinity', '-Infinity'];

/** Serializes a value; NaN and infinities become strings. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value ?? null, (_, each: unknown) =>
    typeof each === 'number' && !Number.isFinite(each) ? String(each) : each,
  );

/** Parses the output of `toJson`. */
export const fromJson = (text: string): unknown =>
  JSON.parse(text, (_, each: unknown) => (notFinite.includes(each as string) ? Number(each) : each));

/**
 * Parses the content of a JSON file that must contain an object.
 * @param damaged creates the error, from the reason as a phrase: `it is empty`
 */
export function parseObject(text: string, damaged: (reason: string) => Error): Record<string, unknown> {
  if (text.trim() === '') throw damaged('it is empty');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(`it is not valid JSON (${(error as Error).message})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw damaged('it does not contain a JSON object');
  return value as Record<string, unknown>;
}
