/**
 * Recognizes text in other scripts than Latin that was decoded as Windows-1252: Cyrillic in windows-1251 becomes Îòëè÷íûé.
 * In Latin text, letters beyond ASCII stand between letters of ASCII; in other scripts, whole words are beyond ASCII.
 */
import { analyse } from 'chardet';
import iconv from 'iconv-lite';

/** Windows-1252's characters that stand beside each other in Latin text: quotes, dashes, signs. */
const punctuation = new Set('‚„…‘’“”•–—‹›«»\u00a0¡¿€£™®©°´¨·');

/** Minimum number of letters beyond ASCII in a word of another script. */
const minLetters = 4;

/** Minimum number of different ones: Jäääär and schööööön are Latin. */
const minDifferent = 3;

// eslint-disable-next-line no-control-regex
const runs = /[^\x00-\x7f\ufdd0]{4,}/g;
const accentedWords = /[a-z][\xc0-\xff]|[\xc0-\xff][a-z]/gi;

/** Windows-1252's characters of the bytes that continue a character of UTF-8. */
const continuation = `[${iconv.decode(Buffer.from(Array.from({ length: 64 }, (_, i) => 128 + i)), 'windows-1252').replace(/[\]\\^-]/g, '\\$&')}]`;

/** UTF-8 decoded as Windows-1252, such as Ã© for é. Punctuation after capital letters, as in CAFÉ», is none. */
export const utf8Sequences = new RegExp(
  `(?:(?<![A-Z\u00c0-\u00de])[\u00c2-\u00df]|[\u00c2-\u00df](?![»”’…–—™®]))${continuation}` +
    `|[\u00e0-\u00ef]${continuation}{2}|[\u00f0-\u00f4]${continuation}{3}`,
  'g',
);

function isOtherScript(run: string): boolean {
  const letters = Array.from(run.replace(utf8Sequences, '')).filter((character) => !punctuation.has(character));
  return letters.length >= minLetters && new Set(letters).size >= minDifferent;
}

/** The words of other scripts in a text. */
const otherWords = (text: string): string[] => (text.match(runs) ?? []).filter(isOtherScript);

/** Number of characters beyond ASCII, without quotes and dashes. */
export const countBeyondAscii = (text: string): number =>
  // eslint-disable-next-line no-control-regex
  (text.match(/[^\x00-\x7f]/g) ?? []).filter((character) => !punctuation.has(character)).length;

/** Number of places where a letter beyond ASCII is next to one of ASCII, as in café. */
export const countAccents = (text: string): number => text.match(accentedWords)?.length ?? 0;

/** Minimum length of different words in all that is evidence: an English text may list äöüß or áéíóú. */
const minEvidence = 11;

const isEvidence = (words: Iterable<string>): boolean =>
  [...new Set(words)].reduce((sum, { length }) => sum + length, 0) >= minEvidence;

/** Whether a text is mostly in another script, as far as its letters beyond ASCII show. */
export function isInOtherScript(text: string): boolean {
  const words = otherWords(text);
  return isEvidence(words) && words.length > countAccents(text);
}

// eslint-disable-next-line no-control-regex
const pairs = /[^\x00-\x7f]{2,}|\ufffd/g;

/**
 * Whether a text may be in an encoding with several bytes per character, some of which are letters of ASCII: most places beyond
 * ASCII are two different characters, or bytes that Windows-1252 does not have.
 */
export function mayBeMultiByte(text: string): boolean {
  const isPair = (run: string) =>
    run.includes('\ufffd') || new Set(Array.from(run).filter((character) => !punctuation.has(character))).size > 1;
  const found = (text.match(pairs) ?? []).filter(isPair);
  return isEvidence(found) && found.length > countAccents(text);
}

/** Encodings of several bytes per character, which include letters of ASCII. */
const multiByte = /^(?:Shift_JIS|GB18030|Big5|EUC-\w+|ISO-2022-\w+)$/;

/** Encodings of Latin letters, which text in another script does not have. */
const latin = /^(?:ASCII|UTF-.*|ISO-8859-[129]|windows-125[024])$/;

/** Maximum number of invalid characters per line in an encoding that fits. */
const maxDamaged = 0.05;

/**
 * Guesses the encoding of text in another script.
 * @param bytes lines of the text, which may contain Latin words too
 * @param kind of encodings. @default all
 * @returns undefined if no encoding fits
 */
export function guessEncoding(bytes: Buffer, kind: 'all' | 'multi-byte' = 'all'): string | undefined {
  const lines = bytes.toString('latin1').split('\n');
  const isOther = (text: string) => otherWords(text).length > 0 || mayBeMultiByte(text);
  const other = lines.filter((line) => isOther(iconv.decode(Buffer.from(line, 'latin1'), 'windows-1252')));
  const chosen = other.length > 0 ? other : lines;
  const foreign = Buffer.from(chosen.join('\n'), 'latin1');
  // The letters of Latin words would be taken as evidence of an encoding of single bytes.
  const words = Buffer.from(foreign.toString('latin1').replace(/[a-z]+/gi, ' '), 'latin1');
  // The end of the bytes may divide a character, and some lines may be damaged.
  const fits = (name: string) =>
    iconv.encodingExists(name) &&
    iconv.decode(foreign, name).split('\ufffd').length - 1 <= (chosen.length > 1 ? 1 : 0) + chosen.length * maxDamaged;
  const long = analyse(foreign).find(({ name, confidence }) => multiByte.test(name) && confidence >= 50 && fits(name));
  if (long !== undefined || kind === 'multi-byte') return long?.name.toLowerCase();
  const others = analyse(words).filter(({ name }) => !latin.test(name));
  const found = others.find(({ name }) => !multiByte.test(name) && fits(name)) ?? others[0];
  return found?.name.toLowerCase();
}

/** Fraction of such words among all that have letters beyond ASCII: a German text may list ÄÖÜß. */
const minFraction = 0.01;

/** Finds lines in other scripts in a stream that is decoded as Windows-1252. */
export class OtherScriptFinder {
  readonly #seen = new Set<string>();
  #words = 0;
  #accents = 0;

  /**
   * Marks lines of a block in which words of other scripts are the majority.
   * @param mark receives a line and where it begins
   */
  markLines(text: string, mark: (line: string, at: number) => string): string {
    const words = otherWords(text);
    this.#accents += countAccents(text);
    if (words.length === 0) return text;
    let at = 0;
    return text
      .split('\n')
      .map((line) => {
        const start = at;
        at += line.length + 1;
        return this.#isOther(line) ? mark(line, start) : line;
      })
      .join('\n');
  }

  #isOther(line: string): boolean {
    const words = otherWords(line);
    if (words.length === 0 || words.length <= countAccents(line)) return false;
    this.#words += words.length;
    if (isEvidence(words)) return true;
    if (!isEvidence(this.#seen)) for (const word of words) this.#seen.add(word);
    return isEvidence(this.#seen) && this.#words > minFraction * this.#accents;
  }
}
