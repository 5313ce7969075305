/**
 * What each format of files implements: reading rows from start to end, with the lines of bad rows. Each format is one
 * file; formats.ts lists them.
 */
import { ReviewsError } from '../../errors.js';
import { settingText } from '../../settings/setting-text.js';
import type { Roles } from '../columns.js';
import type { BadRow, FileDescription, Row } from '../row-file.js';
import type { FileBytes } from './bytes.js';
import { hasUtf8Mark, invalidBytes, probableEncoding, TextStream, withoutMarks } from './encoding.js';

/** Options that override what is detected in text files. */
export interface TextOptions {
  /** Character encoding. @default detected: UTF-8, UTF-16 or Windows-1252 */
  encoding?: string | undefined;
  /** Delimiter of columns: a character, or `tab`. @default detected: comma, semicolon, tab or vertical bar */
  delimiter?: string | undefined;
  /** Whether the first line contains column names. @default detected */
  header?: boolean | 'auto' | undefined;
  /** Names of all columns, in order, in place of a header. @default those of the header */
  columns?: string[] | undefined;
  /** Leaves out malformed rows and counts them, instead of failing at the first. @default false */
  skipBadRows?: boolean | undefined;
}

/** Rows of a file, read from start to end. */
export interface RowReader {
  /** All columns, in the order of the file; of JSON files those of the first rows. */
  columns: string[];
  /** Whether rows may have columns that `columns` lacks: in JSON files. */
  hasMoreColumns?: boolean;
  /** Columns whose role follows from their content, in files without column names. */
  roles?: Roles;
  /** Class names by column, if the file contains them. */
  classNames?: Record<string, string[]>;
  /** The format and its details, as in `CSV with the delimiter ';'`; complete once the rows have been read. */
  describe(): FileDescription;
  /**
   * Reads all rows, in batches.
   * @throws ReviewsError if the file is damaged
   */
  rows(onBadRow: (row: BadRow) => void): AsyncGenerator<Row[]>;
}

/** A text file: its decompressed bytes, and the first characters. */
export interface TextFile {
  name: string;
  /** In lower case, with the dot, without that of a compression. */
  extension: string;
  head: string;
  /** Whether `head` is the whole text. */
  isWhole: boolean;
  /** Of the last read, which may have found another encoding than the head. */
  encoding(): string;
  /** Whether it begins with the byte order mark of UTF-8, which the text does not contain. */
  hasMark: boolean;
  compression: string | undefined;
  /** Decodes the file. Blocks of text may end anywhere. */
  read(): AsyncGenerator<string>;
}

/** Opens the text of a file. */
export async function openText(
  bytes: FileBytes,
  extension: string,
  { encoding }: Pick<TextOptions, 'encoding'>,
): Promise<TextFile> {
  const headStream = new TextStream(bytes.name, bytes.head, encoding);
  let head = '';
  // A character that the head cuts is not invalid.
  for await (const text of headStream.decode([bytes.head])) head += text;
  if (!bytes.isWhole && head.endsWith(invalidBytes)) head = head.slice(0, -1);
  let current = headStream;
  return {
    name: bytes.name,
    extension,
    head,
    isWhole: bytes.isWhole,
    encoding: () => current.encoding,
    hasMark: hasUtf8Mark(bytes.head),
    compression: bytes.compression,
    async *read() {
      current = new TextStream(bytes.name, bytes.head, encoding);
      yield* current.decode(bytes.read());
    },
  };
}

/** Lines of a text, with their numbers. A carriage return at the end of a line is removed. */
export async function* linesOf(file: TextFile): AsyncGenerator<{ text: string; line: number }[]> {
  let rest: string[] = [];
  let line = 1;
  const clean = (text: string) => (text.endsWith('\r') ? text.slice(0, -1) : text);
  for await (const block of file.read()) {
    if (!block.includes('\n')) {
      rest.push(block);
      continue;
    }
    const parts = (rest.length > 0 ? rest.join('') + block : block).split('\n');
    rest = [parts.pop()!];
    yield parts.map((text) => ({ text: clean(text), line: line++ }));
  }
  const last = rest.join('');
  if (last !== '') yield [{ text: clean(last), line }];
}

/** Rows of a batch. */
export const batchRows = 1000;

/** Rows in memory, in batches. */
export async function* batchesOf(rows: Row[]): AsyncGenerator<Row[]> {
  for (let i = 0; i < rows.length; i += batchRows) yield await Promise.resolve(rows.slice(i, i + batchRows));
}

/** Characters of a bad row that an error shows. */
const shownCharacters = 80;

/** A malformed row; `content` is cut, its newlines are written as \n, and its invalid bytes as replacement characters. */
export function badRow(line: number, reason: string, content: string): BadRow {
  const shown = withoutMarks(content);
  const cut = shown.length > shownCharacters ? `${shown.slice(0, shownCharacters)}…` : shown;
  return { line, reason, content: cut.replace(/\r?\n|\r/g, '\\n') };
}

/** The bad row of a text with bytes that are invalid in its encoding; undefined if there are none. */
export function badEncoding(line: number, text: string, encoding: string): BadRow | undefined {
  if (!text.includes(invalidBytes)) return undefined;
  const probable = probableEncoding(text);
  if (probable === undefined) {
    const row = badRow(line, `has bytes that are not valid ${encoding}`, text);
    // Windows-1252 is a guess; Polish and Czech text in windows-1250 differs in a few bytes.
    return encoding === 'windows-1252'
      ? {
          ...row,
          remedy: `Correct the line, or name the encoding of the file, such as ${settingText('encoding', 'windows-1250')}`,
        }
      : row;
  }
  return {
    ...badRow(line, `is probably in another encoding than ${encoding}${probable && `, such as ${probable}`}`, text),
    remedy:
      `Name the encoding of the whole file, ${settingText('encoding', probable || 'windows-1251')} ` +
      `(or ${encoding} if the line is right), or save the file as UTF-8`,
  };
}

/** The error for a malformed row. */
export const malformedRowError = (name: string, { line, reason, content, remedy }: BadRow): ReviewsError =>
  new ReviewsError(
    'REVIEWS_MALFORMED',
    `${name}, line ${line}, ${reason}: ${content}. ${remedy ?? 'Correct the line'}, or leave out such rows with ` +
      `${settingText('skipBadRows', 'true')}.`,
    { file: name, line, content },
  );

/** The description of a text file. */
export const describeText = (file: TextFile, format: string): FileDescription => ({
  format,
  encoding: file.encoding(),
  ...(file.hasMark && file.encoding() === 'utf-8' && { byteOrderMark: true }),
  ...(file.compression && { compression: file.compression }),
});
