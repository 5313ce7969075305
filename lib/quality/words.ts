/** Words of a text in any language. Chinese and Japanese have no spaces: each of their characters counts as a word. */

const character = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}`;
const word = String.raw`[${character}]|(?:(?![${character}])[\p{L}\p{M}\p{N}_])+`;
const wordPattern = new RegExp(word, 'gu');
const tokenPattern = new RegExp(String.raw`${word}|[^\s\p{L}\p{M}\p{N}_]+`, 'gu');

/** The words of a text, as written; numbers count as words, punctuation does not. */
export const wordsOf = (text: string): string[] => text.match(wordPattern) ?? [];

/** The words of a text, and the sequences of punctuation and symbols between them. */
export const wordsAndSymbolsOf = (text: string): string[] => text.match(tokenPattern) ?? [];
