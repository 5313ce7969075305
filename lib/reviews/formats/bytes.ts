/**
 * Local files as streams of bytes, decompressed: gzip, bzip2, Zstandard, or the only file in a ZIP archive. The first
 * bytes determine the compression, not the name of the file.
 */
import fs from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import zlib from 'node:zlib';
import unbzip2 from 'unbzip2-stream';
import { entriesOf, openEntry, openZip } from './zip.js';
import { FileError, ReviewsError } from '../../errors.js';
import { damagedText } from './damage.js';
import { zstandard } from './zstandard.js';

/** A file whose bytes can be read from start to end, any number of times. */
export interface FileBytes {
  /** For messages. */
  name: string;
  path: string;
  /** Undefined if the file is not compressed. */
  compression?: string;
  /** The first 256 KiB, or the whole file if it is smaller. */
  head: Buffer;
  /** Whether `head` is the whole file. */
  isWhole: boolean;
  /** @throws ReviewsError if the file cannot be read or is damaged */
  read(): AsyncGenerator<Buffer>;
}

const headBytes = 1 << 18;

const startsWith = (bytes: Buffer, ...start: number[]) => start.every((byte, i) => bytes[i] === byte);

/** A ZIP archive; an Excel file is one too. */
export const isZip = (head: Buffer): boolean => startsWith(head, 0x50, 0x4b, 3, 4);

/** ZIP's compression methods: stored, and deflate. */
const supportedMethods = new Set([0, 8]);

/** Opens the only file in a ZIP archive, apart from those that operating systems add. */
async function openZipEntry(name: string, path: string): Promise<AsyncIterable<Buffer>> {
  const zip = await openZip(path);
  const entries = (await entriesOf(zip)).filter(({ fileName }) => !/\/$|^__MACOSX\/|(^|\/)\.[^/]*$/.test(fileName));
  const [entry, ...others] = entries;
  if (!entry || others.length > 0) {
    zip.close();
    const names = entries.map(({ fileName }) => fileName);
    throw new ReviewsError(
      'REVIEWS_ARCHIVE_UNSUPPORTED',
      `${name} contains ${names.length} files${entry ? ` (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''})` : ''}; ` +
        'only a ZIP archive of one file can be read. Unpack it and pass the file or the folder.',
      { file: name, files: names.length },
    );
  }
  const problem = entry.isEncrypted()
    ? 'is encrypted'
    : supportedMethods.has(entry.compressionMethod)
      ? undefined
      : `is compressed with ZIP's method ${entry.compressionMethod}, which is not supported`;
  if (problem) {
    zip.close();
    throw new ReviewsError(
      'REVIEWS_ARCHIVE_UNSUPPORTED',
      `${entry.fileName} in ${name} ${problem}. Unpack it and pass the file.`,
      { file: name, method: entry.compressionMethod },
    );
  }
  return openEntry(zip, entry);
}

/** Pipes a file through a decompressor; errors of both end the result. */
function pipeThrough(file: Readable, decompressor: NodeJS.ReadWriteStream): Readable {
  const output = new PassThrough();
  file.on('error', (error) => output.destroy(error));
  decompressor.on('error', (error: Error) => output.destroy(error));
  output.once('close', () => file.destroy());
  return file.pipe(decompressor).pipe(output);
}

interface Compression {
  name: string;
  matches(head: Buffer): boolean;
  open(name: string, path: string): AsyncIterable<Buffer> | Promise<AsyncIterable<Buffer>>;
}

const openFile = (path: string) => fs.createReadStream(path, { highWaterMark: 1 << 20 });

const compressions: Compression[] = [
  {
    name: 'gzip',
    matches: (head) => startsWith(head, 0x1f, 0x8b),
    open: (_, path) => pipeThrough(openFile(path), zlib.createGunzip({ chunkSize: 1 << 16 })),
  },
  {
    name: 'bzip2',
    matches: (head) => startsWith(head, 0x42, 0x5a, 0x68) && head[3]! >= 0x31 && head[3]! <= 0x39,
    open: (_, path) => pipeThrough(openFile(path), unbzip2()),
  },
  {
    name: 'zstd',
    // A frame, or one with metadata, which pzstd writes first.
    matches: (head) =>
      startsWith(head, 0x28, 0xb5, 0x2f, 0xfd) ||
      (head[0]! >> 4 === 5 && startsWith(head.subarray(1), 0x2a, 0x4d, 0x18)),
    open: (_, path) => zstandard(openFile(path) as AsyncIterable<Buffer>),
  },
  { name: 'zip', matches: isZip, open: openZipEntry },
];

/** The compression that the first bytes of a file show. */
export const compressionOf = (head: Buffer): string | undefined =>
  compressions.find((each) => each.matches(head))?.name;

const unreadableError = (name: string, error: unknown, compression: string | undefined): unknown => {
  if (error instanceof ReviewsError) return error;
  const { message, syscall, code } = error as NodeJS.ErrnoException;
  if (syscall)
    return new ReviewsError(
      'REVIEWS_UNREADABLE',
      `${name} cannot be read: ${message}. Check the path and its permissions.`,
      { file: name, systemCode: code },
    );
  return new ReviewsError(
    'REVIEWS_DAMAGED',
    `${damagedText(name, `${compression ?? ''} file`, error)} Download or compress it again.`,
    { file: name, compression },
  );
};

async function readHead(read: () => AsyncGenerator<Buffer>): Promise<{ head: Buffer; isWhole: boolean }> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const bytes of read()) {
    parts.push(bytes);
    length += bytes.length;
    if (length > headBytes) break;
  }
  return { head: Buffer.concat(parts).subarray(0, headBytes), isWhole: length <= headBytes };
}

/** @throws FileError for a pipe or device, whose bytes can be read only once: the head would be missing in the rows */
function checkKind(name: string, path: string): void {
  const kind = fs.statSync(path, { throwIfNoEntry: false });
  if (!kind || kind.isFile() || kind.isDirectory()) return;
  throw new FileError(
    'FILE_UNUSABLE',
    `${name} is a pipe or a device, which can be read only once. Write its content to a file first, and pass that.`,
    { path: name },
  );
}

/**
 * Opens a local file.
 * @param name for messages
 * @param isArchive whether a ZIP archive is opened as such, instead of the file in it. @default Excel files
 * @throws ReviewsError if it cannot be read, is damaged, or is an archive of several files; FileError for a pipe
 */
export async function openBytes(
  name: string,
  path: string,
  isArchive: (head: Buffer) => boolean = () => false,
): Promise<FileBytes> {
  checkKind(name, path);
  const readFrom = (compression?: Compression) =>
    async function* read(): AsyncGenerator<Buffer> {
      try {
        yield* compression ? await compression.open(name, path) : (openFile(path) as AsyncIterable<Buffer>);
      } catch (error) {
        throw unreadableError(name, error, compression?.name);
      }
    };
  const plain = readFrom();
  const raw = await readHead(plain);
  const compression = compressions.find((each) => each.matches(raw.head));
  if (!compression || isArchive(raw.head)) return { name, path, ...raw, read: plain };
  const read = readFrom(compression);
  return { name, path, compression: compression.name, ...(await readHead(read)), read };
}
