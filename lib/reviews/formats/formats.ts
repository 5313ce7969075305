/** The formats of local files. The content determines the format; to add one, write its file and list it here. */
import path from 'node:path';
import { ReviewsError } from '../../errors.js';
import { isArrow, openArrow } from './arrow.js';
import { isZip, openBytes, type FileBytes } from './bytes.js';
import { openDelimited } from './delimited.js';
import { isBinary } from './encoding.js';
import { openExcel } from './excel.js';
import { openFastText } from './fast-text.js';
import { openJsonDocument } from './json-document.js';
import { openJsonLines } from './json-lines.js';
import { openText, type RowReader, type TextOptions } from './row-reader.js';
import { copyToTemporaryFile } from './temporary-file.js';

const compressionExtensions = ['.gz', '.bz2', '.zst', '.zip'];

/** Extensions of files that a folder's reviews are read from. */
export const dataExtensions = '.csv .tsv .tab .txt .json .jsonl .ndjson .xlsx .arrow .feather .parquet'.split(' ');

/** The extension of a file in lower case, without that of a compression: `.csv` of `reviews.CSV.gz`. */
export function extensionOf(file: string): string {
  const extension = path.extname(file).toLowerCase();
  return compressionExtensions.includes(extension) ? path.extname(path.basename(file, path.extname(file))) : extension;
}

/** Whether the name of a file is that of a data file. */
export const isDataFile = (file: string): boolean =>
  dataExtensions.includes(extensionOf(file).toLowerCase()) || /\.zip$/i.test(file);

/** Formats that must be read at random, by their first bytes and extensions. */
const isParquet = (head: Buffer) => head.subarray(0, 4).toString('latin1') === 'PAR1';
const isExcel = (head: Buffer, name: string) => isZip(head) && /\.xls[xm]$/i.test(name);

/** A local file: Parquet, which is read at random, or rows that are read from start to end. */
export type OpenedFile = { parquet: { path: string } | { fd: number; size: number } } | { reader: RowReader };

/** Formats that are recognized in order to say what to do instead. */
const unsupported: { matches: (head: Buffer) => boolean; what: string; remedy: string }[] = [
  {
    matches: (head) => head.readUInt32BE(0) === 0xd0cf11e0,
    what: 'an old Excel or Office file',
    remedy: 'Save it as .xlsx or CSV',
  },
  { matches: (head) => head.toString('latin1', 0, 4) === '%PDF', what: 'a PDF', remedy: 'Save the texts as CSV' },
  {
    matches: (head) => /^\s*<(?:!doctype html|html|\?xml)/i.test(head.toString('latin1', 0, 100)),
    what: 'a web page or XML, perhaps in place of a download that failed',
    remedy: 'Download it again, or save it as CSV',
  },
  {
    matches: (head) => head.toString('latin1', 0, 24) === 'version https://git-lfs.',
    what: 'a Git LFS pointer instead of the data',
    remedy: 'Download the data with git lfs pull',
  },
  { matches: (head) => head.toString('latin1', 0, 3) === 'ORC', what: 'an ORC file', remedy: 'Save it as Parquet' },
];

/** Whether a ZIP archive is an Excel workbook, whatever its name. */
const hasWorkbook = (head: Buffer) => isZip(head) && head.includes('xl/') && head.includes('[Content_Types].xml');

async function openReader(bytes: FileBytes, extension: string, options: TextOptions): Promise<RowReader> {
  const { name, head } = bytes;
  const known = head.length >= 4 ? unsupported.find(({ matches }) => matches(head)) : undefined;
  if (known ?? isBinary(head))
    throw new ReviewsError(
      'REVIEWS_FORMAT_UNKNOWN',
      `${name} is ${known?.what ?? 'a binary file of an unknown format'}. ${known?.remedy ?? 'Use text, JSON, Excel (.xlsx), Arrow or Parquet'}.`,
      { file: name, extension },
    );
  const text = await openText(bytes, extension, options);
  const fastText = openFastText(text);
  if (fastText) return fastText;
  const start = text.head.trimStart();
  const isJsonLines = ['.jsonl', '.ndjson'].includes(extension);
  if (start !== '' && (/^\[\s*[{\]]/.test(start) || (extension === '.json' && !start.startsWith('{'))))
    return openJsonDocument(text);
  if (start.startsWith('{') || (start !== '' && isJsonLines))
    return (await openJsonLines(text, isJsonLines)) ?? (await openJsonDocument(text));
  return openDelimited(text, options);
}

/**
 * Opens a local file in the format that its content shows.
 * @param name for messages
 * @throws ReviewsError if the format is unknown or the file is damaged
 */
export async function openFile(name: string, file: string, options: TextOptions): Promise<OpenedFile> {
  const extension = extensionOf(file).toLowerCase();
  const bytes = await openBytes(name, file, (head) => isExcel(head, file) || hasWorkbook(head));
  const { head, compression } = bytes;
  const copy = () => copyToTemporaryFile(bytes.read());
  if (isParquet(head) || extension === '.parquet') return { parquet: compression ? await copy() : { path: file } };
  if (isArrow(head) || extension === '.arrow' || extension === '.feather') return { reader: await openArrow(bytes) };
  if (isExcel(head, file) || hasWorkbook(head) || extension === '.xlsx')
    return { reader: await openExcel(bytes, options) };
  return { reader: await openReader(bytes, extension, options) };
}
