/**
 * The formats of local files. The content determines the format; to add one, write its file and list it here. Formats whose
 * libraries take long to load are loaded when a file has them.
 */
import type { ColumnOptions } from '../columns.js';
import path from 'node:path';
import { ReviewsError } from '../../errors.js';
import { compressionOf, isZip, openBytes, type FileBytes } from './bytes.js';
import { openDelimited } from './delimited.js';
import { isBinary, isWide } from './encoding.js';
import { openFastText } from './fast-text.js';
import { openJsonLines } from './json-lines.js';
import { openText, type RowReader, type TextFile, type TextOptions } from './row-reader.js';
import { copyToTemporaryFile } from './temporary-file.js';

/** The extension of a compressed file. */
export const compressionExtension = /\.(?:gz|bz2|zst|zip)$/i;

/** Extensions of files that have content even if they have no rows. */
const binaryExtensions = ['.xlsx', '.arrow', '.feather', '.parquet'];

/** Extensions of files that a folder's reviews are read from. */
export const dataExtensions = '.csv .tsv .tab .txt .json .jsonl .ndjson .xlsx .arrow .feather .parquet'.split(' ');

/** The extension of a file in lower case, without that of a compression: `.csv` of `reviews.CSV.gz`. */
export const extensionOf = (file: string): string => path.extname(file.replace(compressionExtension, '')).toLowerCase();

/** Whether the name of a file is that of a data file. */
export const isDataFile = (file: string): boolean => dataExtensions.includes(extensionOf(file)) || /\.zip$/i.test(file);

/** Formats that must be read at random, by their first bytes and extensions. */
const isParquet = (head: Buffer) => head.subarray(0, 4).toString('latin1') === 'PAR1';

/** Whether a file begins as Arrow does: the file format with its name, the stream format with a continuation mark. */
const isArrow = (head: Buffer) =>
  head.subarray(0, 6).toString('latin1') === 'ARROW1' || (head.length >= 8 && head.readUInt32LE(0) === 0xffffffff);

/** Whether a ZIP archive is an Excel workbook, by its name or the first file in it. */
const isWorkbook = (head: Buffer, name: string) =>
  isZip(head) &&
  (/\.xls[xm]$/i.test(name) ||
    (/^(?:\[Content_Types\]\.xml|_rels\/|docProps\/|xl\/)/.test(head.toString('latin1', 30, 50)) &&
      head.includes('xl/')));

/** A local file: Parquet, which is read at random, or rows that are read from start to end. */
export type OpenedFile = { parquet: { path: string } | { fd: number; size: number } } | { reader: RowReader };

const begins = (head: Buffer, text: string) => head.toString('latin1', 0, text.length) === text;

const unpack = 'Unpack it and pass the file or the folder';

/** Formats that are recognized in order to say what to do instead. */
const unsupported: { matches: (head: Buffer) => boolean; what: string; remedy: string }[] = [
  {
    matches: (head) => head.readUInt32BE(0) === 0xd0cf11e0,
    what: 'an old Excel or Office file',
    remedy: 'Save it as .xlsx or CSV',
  },
  { matches: (head) => begins(head, '%PDF'), what: 'a PDF', remedy: 'Save the texts as CSV' },
  {
    matches: (head) => /^\s*<(?:!doctype html|html|\?xml)/i.test(head.toString('latin1', 0, 100)),
    what: 'a web page or XML, perhaps in place of a download that failed',
    remedy: 'Download it again, or save it as CSV',
  },
  {
    matches: (head) => begins(head, 'version https://git-lfs.'),
    what: 'a Git LFS pointer instead of the data',
    remedy: 'Download the data with git lfs pull',
  },
  { matches: (head) => begins(head, 'ORC'), what: 'an ORC file', remedy: 'Save it as Parquet' },
  {
    matches: (head) => begins(head, 'FEA1'),
    what: 'a Feather file of version 1',
    remedy: 'Save it as Parquet, or as Feather of version 2',
  },
  { matches: (head) => begins(head, 'PK\x05\x06'), what: 'an empty ZIP archive', remedy: 'Create it again' },
  { matches: (head) => head.toString('latin1', 257, 262) === 'ustar', what: 'a tar archive', remedy: unpack },
  { matches: (head) => begins(head, '7z\xbc\xaf\x27\x1c'), what: 'a 7z archive', remedy: unpack },
  { matches: (head) => begins(head, 'Rar!'), what: 'a RAR archive', remedy: unpack },
  {
    matches: (head) => begins(head, '\xfd7zXZ'),
    what: 'a file compressed with xz',
    remedy: 'Decompress it with unxz, or compress it with gzip, bzip2 or Zstandard',
  },
];

/**
 * Checks that a file is of a supported kind.
 * @throws ReviewsError if its first bytes show that it is not
 */
function checkSupported({ name, head, compression }: FileBytes, extension: string): void {
  const known = head.length >= 4 ? unsupported.find(({ matches }) => matches(head)) : undefined;
  if (known)
    throw new ReviewsError('REVIEWS_FORMAT_UNKNOWN', `${name} is ${known.what}. ${known.remedy}.`, {
      file: name,
      extension,
    });
  const inner = compression && !isWorkbook(head, '') ? compressionOf(head) : undefined;
  if (inner)
    throw new ReviewsError(
      'REVIEWS_ARCHIVE_UNSUPPORTED',
      `${name} is a ${inner} file within a ${compression} file. Unpack it and pass the ${inner} file.`,
      { file: name, compression, inner },
    );
  if (head.length === 0 && binaryExtensions.includes(extension))
    throw new ReviewsError('REVIEWS_NO_ROWS', `${name} is empty: it has no bytes. Download or save it again.`, {
      name,
    });
}

const openJson = async (text: TextFile) => (await import('./json-document.js')).openJsonDocument(text);

async function openReader(
  bytes: FileBytes,
  extension: string,
  options: TextOptions & ColumnOptions,
): Promise<RowReader> {
  const { name, head } = bytes;
  const isText = options.encoding !== undefined && isWide(options.encoding);
  if (!isText && isBinary(head))
    throw new ReviewsError(
      'REVIEWS_FORMAT_UNKNOWN',
      `${name} is a binary file of an unknown format. Use text, JSON, Excel (.xlsx), Arrow or Parquet.`,
      { file: name, extension },
    );
  const text = await openText(bytes, extension, options);
  const fastText = openFastText(text);
  if (fastText) return fastText;
  const start = text.head.trimStart();
  const isJsonLines = ['.jsonl', '.ndjson'].includes(extension);
  if (start !== '' && (/^\[\s*[{\]]/.test(start) || (extension === '.json' && !start.startsWith('{'))))
    return openJson(text);
  if (start.startsWith('{') || (start !== '' && isJsonLines))
    return (await openJsonLines(text, isJsonLines)) ?? (await openJson(text));
  return openDelimited(text, options);
}

/**
 * Opens a local file in the format that its content shows.
 * @param name for messages
 * @throws ReviewsError if the format is unknown or the file is damaged
 */
export async function openFile(name: string, file: string, options: TextOptions & ColumnOptions): Promise<OpenedFile> {
  const extension = extensionOf(file);
  const bytes = await openBytes(name, file, (head) => isWorkbook(head, file));
  const { head, compression } = bytes;
  checkSupported(bytes, extension);
  const copy = () => copyToTemporaryFile(bytes.read());
  if (isParquet(head) || extension === '.parquet') return { parquet: compression ? await copy() : { path: file } };
  if (isArrow(head) || extension === '.arrow' || extension === '.feather')
    return { reader: await (await import('./arrow.js')).openArrow(bytes) };
  if (isWorkbook(head, file) || extension === '.xlsx')
    return { reader: await (await import('./excel.js')).openExcel(bytes, options) };
  return { reader: await openReader(bytes, extension, options) };
}
