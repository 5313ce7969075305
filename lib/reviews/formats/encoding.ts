/**
 * Character encodings. Text is UTF-8 or UTF-16 where its bytes say so, otherwise Windows-1252, of which Latin-1 is a
 * part; other encodings must be named. Bytes that are invalid in an encoding are marked in the text, so that the row
 * that contains them is reported: no replacement character is inserted silently.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';
import { ReviewsError, SettingsError } from '../../errors.js';
import { settingText } from '../../settings/setting-text.js';
import {
  countAccents,
  countBeyondAscii,
  guessEncoding,
  isInOtherScript,
  mayBeMultiByte,
  OtherScriptFinder,
  utf8Sequences,
} from './other-script.js';

/** Stands for invalid bytes; a noncharacter, which no text contains. */
export const invalidBytes = '\ufdd0';

/** Whether bytes begin with the byte order mark of UTF-8. */
export const hasUtf8Mark = (bytes: Buffer): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;

/** Follows `invalidBytes` and the name of the encoding that a line probably has. */
const endOfName = '\ufdd1';

const otherEncoding = new RegExp(`${invalidBytes}([\\w-]*)${endOfName}`, 'g');

/** The encoding that a text with a mark probably has, if it is another than that of the file; '' if it is unknown. */
export const probableEncoding = (text: string): string | undefined => [...text.matchAll(otherEncoding)][0]?.[1];

/** A text with replacement characters in place of the marks of invalid bytes, for messages. */
export const withoutMarks = (text: string): string =>
  text.replace(otherEncoding, '').replaceAll(invalidBytes, '\ufffd');

/** Names of UTF-8 without case and punctuation; it is decoded here, since iconv-lite does not report invalid UTF-8. */
const utf8Names = ['utf8', 'utf8sig'];

const plainName = (encoding: string): string => encoding.toLowerCase().replace(/[^a-z0-9]/g, '');

/** What iconv-lite lists as encodings although it is no encoding of text, or cannot decode it from a stream. */
const notText = /^(?:binary|base64\w*|hex|cesu8)$/;

const isUtf16 = (encoding: string): boolean => /^(?:utf16|ucs2)/.test(plainName(encoding));

/** Whether an encoding is one whose text contains zero bytes. */
export const isWide = (encoding: string): boolean => isUtf16(encoding) || plainName(encoding).startsWith('utf32');

/**
 * Checks the name of an encoding.
 * @throws SettingsError if it is unknown
 */
export function checkEncoding(encoding: string): void {
  const name = plainName(encoding);
  if (utf8Names.includes(name) || (!notText.test(name) && iconv.encodingExists(encoding))) return;
  throw new SettingsError(
    'SETTING_INVALID',
    `${settingText('encoding')} is '${encoding}', which is no known encoding. Use utf-8, utf-16, windows-1252, ` +
      'windows-1250, windows-1251, iso-8859-1, shift_jis, gb18030, big5, euc-kr or another name of the IANA registry.',
    { name: 'encoding', value: encoding },
  );
}

/** Length of an incomplete UTF-8 character at the end of a block. */
function incompleteBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

/** Decodes UTF-8 line by line, so that a replacement character in a valid line is not mistaken for invalid bytes. */
function decodeDamagedUtf8(bytes: Buffer): string {
  const lines: string[] = [];
  for (let start = 0; start <= bytes.length;) {
    const newline = bytes.indexOf(10, start);
    const line = bytes.subarray(start, newline < 0 ? bytes.length : newline);
    const text = line.toString('utf8');
    lines.push(isUtf8(line) ? text : text.replaceAll('\ufffd', invalidBytes));
    if (newline < 0) break;
    start = newline + 1;
  }
  return lines.join('\n');
}

/** Minimum fraction of characters beyond ASCII in scripts other than Latin: two thirds and more, in Latin a tenth at most. */
const otherScript = 0.25;

/** Number of such characters that are sufficient evidence: a text of a word, such as café, has one in four. */
const minOtherScript = 4;

/**
 * Chooses an encoding for bytes that are not valid UTF-8.
 * @returns `utf-8` if most characters beyond ASCII are valid, so that some lines are damaged
 * @throws ReviewsError if the text is in a script other than Latin
 */
function encodingOfInvalid(name: string, bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const invalid = text.match(/\ufffd/g)?.length ?? 0;
  // eslint-disable-next-line no-control-regex
  const valid = (text.match(/[^\u0000-\u007f]/gu)?.length ?? 0) - invalid;
  if (valid > invalid) return 'utf-8';
  const western = iconv.decode(bytes, 'windows-1252');
  const letters = countBeyondAscii(western);
  const isMostlyOther =
    letters >= minOtherScript && letters / bytes.length >= otherScript && countAccents(western) === 0;
  let guess: string | undefined;
  if (isMostlyOther || isInOtherScript(western)) guess = guessEncoding(bytes);
  else {
    guess = mayBeMultiByte(western) ? guessEncoding(bytes, 'multi-byte') : undefined;
    if (guess === undefined) return 'windows-1252';
  }
  throw new ReviewsError(
    'REVIEWS_ENCODING_UNKNOWN',
    `${name} is not UTF-8; its encoding may be ${guess ?? 'anything'}. Name it: ${settingText('encoding', guess ?? 'windows-1251')}` +
      ', or windows-1252 if all its letters are Latin.',
    { file: name, encoding: guess },
  );
}

/** Whether every newline of bytes is one of UTF-16, so that no part of them is in an encoding of single bytes. */
function hasNewlinesOfUtf16(bytes: Buffer, encoding: 'utf-16le' | 'utf-16be'): boolean {
  const [atByte, other] = encoding === 'utf-16le' ? [0, 1] : [1, -1];
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1))
    if (at % 2 !== atByte || (bytes[at + other] ?? 0) !== 0) return false;
  return true;
}

/** Byte order marks; that of UTF-32 begins with that of UTF-16. */
const byteOrderMarks: [string, number[]][] = [
  ['utf-32le', [0xff, 0xfe, 0, 0]],
  ['utf-32be', [0, 0, 0xfe, 0xff]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/** Detects UTF-16 and UTF-32 by their byte order marks; UTF-16 also by the zero bytes of Latin letters, or by its text. */
function detectWide(head: Buffer): string | undefined {
  const marked = byteOrderMarks.find(([, mark]) => mark.every((byte, i) => head[i] === byte));
  if (marked) return marked[0];
  const encoding = encodingOfZeros(head);
  if (encoding) return hasNewlinesOfUtf16(head, encoding) ? encoding : undefined;
  return head.includes(0) ? (['utf-16le', 'utf-16be'] as const).find((each) => isTextOf(head, each)) : undefined;
}

/** Whether bytes are UTF-16 in any script: all characters are those of text, and there are newlines. */
function isTextOf(head: Buffer, encoding: 'utf-16le' | 'utf-16be'): boolean {
  // The end of the head may divide a character.
  const text = iconv.decode(head.subarray(0, head.length & ~1), encoding).replace(/[\ud800-\udbff]$/, '');
  return text.includes('\n') && text.isWellFormed() && !/[^\P{C}\p{Cf}\t\n\r]/u.test(text);
}

/** UTF-16 if every second byte is zero in most places, as in Latin text. */
function encodingOfZeros(head: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  let [even, odd] = [0, 0];
  for (const [i, byte] of head.entries())
    if (byte === 0)
      if (i % 2 === 0) even++;
      else odd++;
  if (odd > head.length / 4 && even < odd / 10) return 'utf-16le';
  if (even > head.length / 4 && odd < even / 10) return 'utf-16be';
  return undefined;
}

/** Minimum fraction of zero bytes in binary files; a text may contain one by mistake. */
const binaryFraction = 1 / 200;

const hasZeros = (head: Buffer): boolean => head.filter((byte) => byte === 0).length > binaryFraction * head.length;

/** Whether bytes are no text in any encoding: they contain zero bytes, but are not UTF-16 or UTF-32. */
export const isBinary = (head: Buffer): boolean => hasZeros(head) && detectWide(head) === undefined;

/** Marks what UTF-16 cannot contain: half surrogate pairs. */
const markInvalidUtf16 = (text: string): string =>
  text.isWellFormed()
    ? text
    : text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, invalidBytes);

/** The unassigned character that a newline of UTF-16 becomes if a byte is lost or added before it. */
const shiftedNewline = '\u0a00';

/** Marks zero characters: text contains them where a part of it has another encoding or was overwritten. */
const markZeros = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', invalidBytes) : text);

/** Decodes a stream of bytes. */
export class TextStream {
  /** The encoding; `utf-8` until bytes prove another. */
  encoding: string;
  readonly #isRequested: boolean;
  readonly #finder = new OtherScriptFinder();
  #guess: string | undefined;
  #line = 1;

  /**
   * @param name of the file, for messages
   * @param head its first bytes
   * @param requested encoding. @default as detected
   */
  constructor(
    readonly name: string,
    head: Buffer,
    requested?: string,
  ) {
    this.#isRequested = requested !== undefined;
    // A byte order mark is stronger evidence than the bytes of a line, but not than the user.
    this.encoding = requested?.toLowerCase() ?? detectWide(head) ?? 'utf-8';
    if (utf8Names.includes(plainName(this.encoding))) this.encoding = 'utf-8';
  }

  /**
   * Decodes blocks of bytes; blocks of text end anywhere but within a character. The byte order mark is removed.
   * @throws ReviewsError if the encoding is neither given nor detectable
   */
  async *decode(bytes: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<string> {
    let rest: Buffer = Buffer.alloc(0);
    let decoder: iconv.DecoderStream | undefined = this.encoding === 'utf-8' ? undefined : this.#decoder();
    let onlyAscii = true;
    let isFirst = true;
    let total = 0;
    for await (let block of bytes) {
      total += block.length;
      if (!decoder) {
        if (rest.length > 0) block = Buffer.concat([rest, block]);
        const complete = block.length - incompleteBytes(block);
        rest = block.subarray(complete);
        block = block.subarray(0, complete);
        if (isFirst && hasUtf8Mark(block)) {
          block = block.subarray(3);
          onlyAscii = false;
        }
        isFirst = false;
        if (isUtf8(block)) {
          if (onlyAscii && !isAscii(block)) onlyAscii = false;
          yield markZeros(block.toString('utf8'));
          continue;
        }
        if (onlyAscii && !this.#isRequested) this.encoding = encodingOfInvalid(this.name, block);
        onlyAscii = false;
        if (this.encoding === 'utf-8') {
          yield markZeros(decodeDamagedUtf8(block));
          continue;
        }
        block = Buffer.concat([block, rest]);
        rest = Buffer.alloc(0);
        decoder = this.#decoder();
      }
      yield this.#mark(decoder.write(block), block);
    }
    if (decoder) {
      const isCut = isUtf16(this.encoding) && total % 2 === 1;
      yield this.#mark(decoder.end() ?? '', Buffer.alloc(0)) + (isCut ? invalidBytes : '');
    } else if (rest.length > 0) {
      // A single-byte encoding may have a letter at the very end of the file.
      if (onlyAscii && !this.#isRequested) this.encoding = encodingOfInvalid(this.name, rest);
      yield this.encoding === 'utf-8' ? invalidBytes : iconv.decode(rest, this.encoding);
    }
  }

  #decoder(): iconv.DecoderStream {
    return iconv.getDecoder(this.encoding);
  }

  /**
   * Marks invalid bytes. Other encodings than Unicode's have no replacement character: one in the result stands for them.
   * @param bytes from which the text was decoded
   */
  #mark(text: string, bytes: Buffer): string {
    if (isUtf16(this.encoding)) {
      this.#checkAlignment(text);
      return markZeros(markInvalidUtf16(text));
    }
    const isGuessed = this.encoding === 'windows-1252' && !this.#isRequested;
    const lines = isGuessed ? this.#finder.markLines(text, (line, at) => this.#markLine(line, at, bytes)) : text;
    const marked = markZeros(lines.replaceAll('\ufffd', invalidBytes));
    return isGuessed ? marked.replace(utf8Sequences, invalidBytes) : marked;
  }

  /** @throws ReviewsError if a byte of UTF-16 is missing: all that follows would be read as other characters */
  #checkAlignment(text: string): void {
    const shifted = text.indexOf(shiftedNewline);
    this.#line += (shifted < 0 ? text : text.slice(0, shifted)).split('\n').length - 1;
    if (shifted < 0) return;
    throw new ReviewsError(
      'REVIEWS_DAMAGED',
      `${this.name}, line ${this.#line}, is damaged: a byte of ${this.encoding} is missing or too many, so that what follows cannot be ` +
        'read. A part of the file may have another encoding. Save it again as UTF-8.',
      { file: this.name, line: this.#line, encoding: this.encoding },
    );
  }

  /** Marks a line that is probably in another encoding, before its first letter beyond ASCII, so that a value has the mark. */
  #markLine(line: string, at: number, bytes: Buffer): string {
    this.#guess ??= guessEncoding(bytes.subarray(at, at + line.length));
    // eslint-disable-next-line no-control-regex
    return line.replace(/[^\x00-\x7f]/, (letter) => `${invalidBytes}${this.#guess ?? ''}${endOfName}${letter}`);
  }
}
