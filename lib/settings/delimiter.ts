/** Delimiters of columns in text files: characters, and the names of those that are hard to type or to read. */

const names: Record<string, string> = { ',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'vertical bar' };

const byName: Record<string, string> = {
  ...Object.fromEntries(Object.entries(names).map(([character, name]) => [name, character])),
  '\\t': '\t',
  pipe: '|',
};

/** Characters that end values or lines, and words, which are misspelled names. */
const impossible = /["\r\n\uFEFF]|^[\p{L}\p{N}]{2,}$/u;

/** Reads a delimiter: a name, or one or more characters. @returns undefined for what cannot be one */
export function readDelimiter(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return byName[value.toLowerCase()] ?? (impossible.test(value) ? undefined : value);
}

/** The name of a delimiter, or the quoted characters. */
export const describeDelimiter = (delimiter: string): string => names[delimiter] ?? `'${delimiter}'`;

/** A delimiter as the user writes it. */
export const formatDelimiter = (delimiter: string): string => (delimiter === '\t' ? 'tab' : delimiter);
