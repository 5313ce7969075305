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
