/**
 * Character encodings. Text is UTF-8 or UTF-16 where its bytes say so, otherwise Windows-1252, of which Latin-1 is a
 * part; other encodings must be named. Bytes that are invalid in an encoding are marked in the text, so that the row
 * that contains them is reported: no replacement character is inserted silently.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { analyse } from 'chardet';
import iconv from 'iconv-lite';
import { ReviewsError, SettingsError } from '../../errors.js';
import { settingText } from '../../settings/setting-text.js';

/** Stands for invalid bytes; a noncharacter, which no text contains. */
export const invalidBytes = '\ufdd0';

/** Whether bytes begin with the byte order mark of UTF-8. */
export const hasUtf8Mark = (bytes: Buffer): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;

/** Encodings that are decoded here rather than by iconv-lite, which does not report invalid UTF-8. */
const utf8Names = ['utf-8', 'utf8'];

/**
 * Checks the name of an encoding.
 * @throws SettingsError if it is unknown
 */
export function checkEncoding(encoding: string): void {
  const isKnown: boolean = utf8Names.includes(encoding.toLowerCase()) || iconv.encodingExists(encoding);
  if (isKnown) return;
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

/** Minimum fraction of bytes beyond ASCII in scripts other than Latin: two thirds and more, in Latin a tenth at most. */
const otherScript = 0.25;

/** Number of such bytes that are sufficient evidence: a text of a word, such as café, has one in four. */
const minOtherScript = 4;

/** Number of bytes beyond ASCII. */
function bytesBeyondAscii(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte > 127) count++;
  return count;
}

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
  const beyondAscii = bytesBeyondAscii(bytes);
  if (beyondAscii < minOtherScript || beyondAscii / bytes.length < otherScript) return 'windows-1252';
  const guess = analyse(bytes).find(({ name: encoding }) => !encoding.startsWith('UTF-'));
  throw new ReviewsError(
    'REVIEWS_ENCODING_UNKNOWN',
    `${name} is not UTF-8; its encoding may be ${guess?.name ?? 'anything'}. Name it: ${settingText('encoding', (guess?.name ?? 'windows-1251').toLowerCase())}.`,
    { file: name, encoding: guess?.name },
  );
}

/** Whether every newline of bytes is one of UTF-16, so that no part of them is in an encoding of single bytes. */
function hasNewlinesOfUtf16(bytes: Buffer, encoding: 'utf-16le' | 'utf-16be'): boolean {
  const [atByte, other] = encoding === 'utf-16le' ? [0, 1] : [1, -1];
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1))
    if (at % 2 !== atByte || (bytes[at + other] ?? 0) !== 0) return false;
  return true;
}

/** Detects UTF-16 by its byte order mark, or by the zero bytes of Latin letters. */
function detectUtf16(head: Buffer): string | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  const encoding = encodingOfZeros(head);
  return encoding && hasNewlinesOfUtf16(head, encoding) ? encoding : undefined;
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

/** Whether bytes are no text in any encoding: they contain zero bytes, but are not UTF-16. */
export const isBinary = (head: Buffer): boolean =>
  head.filter((byte) => byte === 0).length > binaryFraction * head.length && detectUtf16(head) === undefined;

/**
 * Marks what UTF-16 cannot contain: half surrogate pairs, and the unassigned character that a newline becomes if a byte
 * is lost before it.
 */
const markInvalidUtf16 = (text: string): string =>
  text.isWellFormed() && !text.includes('\u0a00')
    ? text
    : text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\u0a00/g, invalidBytes);

/** Marks zero characters: text contains them where a part of it has another encoding or was overwritten. */
const markZeros = (text: string): string => (text.includes('\0') ? text.replaceAll('\0', invalidBytes) : text);

/** Windows-1252's characters of the bytes that continue a character of UTF-8. */
const continuation = `[${iconv.decode(Buffer.from(Array.from({ length: 64 }, (_, i) => 128 + i)), 'windows-1252').replace(/[\]\\^-]/g, '\\$&')}]`;

/** UTF-8 decoded as Windows-1252, such as Ã© for é. Punctuation after capital letters, as in CAFÉ», is none. */
const utf8Sequences = new RegExp(
  `(?:(?<![A-Z\u00c0-\u00de])[\u00c2-\u00df]|[\u00c2-\u00df](?![»”’…–—™®]))${continuation}` +
    `|[\u00e0-\u00ef]${continuation}{2}|[\u00f0-\u00f4]${continuation}{3}`,
  'g',
);

/** Decodes a stream of bytes. */
export class TextStream {
  /** The encoding; `utf-8` until bytes prove another. */
  encoding: string;
  readonly #isRequested: boolean;

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
    this.encoding = requested?.toLowerCase() ?? detectUtf16(head) ?? 'utf-8';
    if (utf8Names.includes(this.encoding)) this.encoding = 'utf-8';
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
      yield this.#mark(decoder.write(block));
    }
    if (decoder) {
      const isCut = this.encoding.startsWith('utf-16') && total % 2 === 1;
      yield this.#mark(decoder.end() ?? '') + (isCut ? invalidBytes : '');
    } else if (rest.length > 0) {
      // A single-byte encoding may have a letter at the very end of the file.
      if (onlyAscii && !this.#isRequested) this.encoding = encodingOfInvalid(this.name, rest);
      yield this.encoding === 'utf-8' ? invalidBytes : iconv.decode(rest, this.encoding);
    }
  }

  #decoder(): iconv.DecoderStream {
    return iconv.getDecoder(this.encoding);
  }

  /** Other encodings than Unicode's have no replacement character: one in the result stands for invalid bytes. */
  #mark(text: string): string {
    if (this.encoding.startsWith('utf-16')) return markZeros(markInvalidUtf16(text));
    const marked = markZeros(text.replaceAll('\ufffd', invalidBytes));
    return this.encoding === 'windows-1252' && !this.#isRequested
      ? marked.replace(utf8Sequences, invalidBytes)
      : marked;
  }
}
