/** JSON with the numbers that it has no word for: a metric may be one of them, and so may be a best score before the first. */

const notFinite = ['NaN', 'Infinity', '-Infinity'];

/** As JSON, NaN and the infinities as their names. */
export const toJson = (value: unknown): string =>
  JSON.stringify(value ?? null, (_, each: unknown) =>
    typeof each === 'number' && !Number.isFinite(each) ? String(each) : each,
  );

/** What `toJson` was given. */
export const fromJson = (text: string): unknown =>
  JSON.parse(text, (_, each: unknown) => (notFinite.includes(each as string) ? Number(each) : each));
