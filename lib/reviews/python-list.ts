/** Lists as Python writes them, `['price', "it's"]`: what pandas' `to_csv` makes of a column of lists. Many of them are no JSON. */

/** An element, a string or a number, and what follows it. */
const element = /\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|(-?\d+(?:\.\d+)?))\s*(,\s*|$)/y;

/** Escapes of one character in Python's `repr`. */
const characters: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\', "'": "'", '"': '"' };

const escape = /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/g;

/** The text of a string literal; undefined if it has an escape that `repr` does not write. */
function unescaped(literal: string): string | undefined {
  let isValid = true;
  const text = literal.replace(escape, (_, x?: string, u?: string, long?: string, character?: string) => {
    const code = parseInt(x ?? u ?? long ?? '', 16);
    if (code <= 0x10ffff) return String.fromCodePoint(code);
    isValid &&= Object.hasOwn(characters, character ?? '');
    return characters[character ?? ''] ?? '';
  });
  return isValid ? text : undefined;
}

/**
 * Reads a list of strings and numbers in the syntax of Python.
 * @returns undefined for any other text, such as a list without commas (NumPy), without quotes, or of lists
 */
export function parsePythonList(text: string): (string | number)[] | undefined {
  const inner = /^\s*\[(.*)\]\s*$/s.exec(text)?.[1]?.trim();
  if (inner === undefined) return undefined;
  const elements: (string | number)[] = [];
  // A comma may follow the last element.
  for (let position = 0; position < inner.length; position = element.lastIndex) {
    element.lastIndex = position;
    const match = element.exec(inner);
    const value = match?.[3] === undefined ? unescaped(match?.[1] ?? match?.[2] ?? '') : Number(match[3]);
    if (!match || value === undefined) return undefined;
    elements.push(value);
  }
  return elements;
}
