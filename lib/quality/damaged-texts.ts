/** Texts that an export or a conversion has damaged: wrong encodings, HTML, escaped newlines, control characters. */

/** A kind of damage. */
export interface TextDamage {
  /** What is wrong, such as `HTML tags`. */
  damage: string;
  /** Number of texts. */
  texts: number;
  /** The damaged part of the first one, with what surrounds it. */
  example: string;
}

/** Damage that a wrong encoding causes before the file is written: the text itself is lost or unreadable. */
const misread: [string, RegExp][] = [
  ['replacement characters (U+FFFD)', /\uFFFD/],
  // UTF-8 that was read as Windows-1252 or Latin-1: é becomes Ã©, ’ becomes â€™.
  ['UTF-8 read as Windows-1252 or Latin-1', /Ã[\u0080-\u00BF€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€|â\u0080/],
];

const patterns: [string, RegExp][] = [
  ...misread,
  ['HTML tags', /<\/?(?:a|b|br|div|em|font|h[1-6]|hr|i|img|li|ol|p|span|strong|table|td|tr|u|ul)(?:\s[^<>]*)?\/?>/i],
  ['HTML entities', /&(?:amp|lt|gt|quot|apos|nbsp|#\d{2,6}|#x[0-9a-f]{2,5});/i],
  ['newlines as the two characters \\n', /\\n/],
  ['control characters', /(?![\t\n\r])\p{Cc}/u],
];

/** Characters that an example contains before and after the beginning of the damage. */
const context = 40;

/**
 * Counts damaged texts.
 * @returns the kinds of damage that occur
 * @example
 * for (const { damage, texts } of findDamagedTexts(['Good<br />value'])) console.log(`${damage}: ${texts}`);
 */
export function findDamagedTexts(texts: string[]): TextDamage[] {
  return patterns.flatMap(([damage, pattern]) => {
    const damaged = texts.filter((text) => pattern.test(text));
    const [first] = damaged;
    if (first === undefined) return [];
    const start = first.search(pattern);
    return [{ damage, texts: damaged.length, example: first.slice(Math.max(0, start - context), start + context) }];
  });
}

/** Describes texts that a wrong encoding has damaged; undefined if there are none. */
export function describeMisread(found: TextDamage[]): string | undefined {
  const kinds = found.filter(({ damage }) => misread.some(([kind]) => kind === damage));
  if (kinds.length === 0) return undefined;
  const list = kinds.map(
    ({ damage, texts, example }) =>
      `${damage} in ${texts.toLocaleString('en')} ${texts === 1 ? 'text' : 'texts'} ("${example}")`,
  );
  return `Damaged by a wrong encoding before they were stored in the file: ${list.join('; ')}. Export the data again as UTF-8.`;
}
