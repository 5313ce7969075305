/**
 * A file of rows that can be read in chunks, each independently and in any order: what sampling and streaming need.
 * Parquet can be read so; the rows of other files are stored in a temporary file.
 */
import type { AsyncBuffer } from 'hyparquet';

/** A row of a file: values by column name. */
export type Row = Record<string, unknown>;

/** A malformed row. */
export interface BadRow {
  /** Number of the line in the file, from 1; of formats without lines, of the row. */
  line: number;
  /** What is wrong with it, as in "line 5 has …". */
  reason: string;
  /** Its first characters. */
  content: string;
  /** How to correct it, if that is known. */
  remedy?: string;
}

/** How a file was read. */
export interface FileDescription {
  format: string;
  /** Of text files; of a text per file all encodings, separated by commas. */
  encoding?: string;
  /** Whether UTF-8 begins with a byte order mark, without which Excel reads it as Windows-1252. */
  byteOrderMark?: boolean;
  /** Of delimited text. */
  delimiter?: string;
  /** Of delimited text and Excel. */
  header?: boolean;
  /** Lines above the header that belong to no table, and are left out. */
  linesAboveHeader?: number;
  /** gzip, bzip2, zstd or zip. */
  compression?: string;
}

/** Consecutive rows of a file. */
export interface Chunk {
  /** Number of the first row in the file. */
  start: number;
  rows: number;
  /** Offset of the first byte; not used for Parquet, which stores columns separately. */
  from: number;
  /** Bytes to read; approximate for Parquet. */
  bytes: number;
  /** Chunks with the same number share their bytes: a large Parquet row group is several chunks. */
  group: number;
}

/**
 * Reads the rows of a chunk.
 * @param columns to read; the result may have others too
 * @throws ReviewsError if the file is malformed there
 */
export type ReadRows = (chunk: Chunk, columns: string[]) => Promise<Row[]>;

/** An open file of rows. */
export interface RowFile {
  /** For messages. */
  name: string;
  columns: string[];
  rows: number;
  /** All rows in order; each chunk is small enough to be read at once. */
  chunks: Chunk[];
  /** Class names by column, if the file contains them. */
  classNames: Record<string, string[]>;
  /** Number of rows by label; of more than 1,000 labels the first 1,001. Undefined if all rows must be read to know it. */
  labels?: Map<string, number>;
  /** Malformed rows that were left out, and the first of them. */
  badRows?: { count: number; first: BadRow[] };
  /** Number of rows whose text contains a lone surrogate, which is replaced by U+FFFD. */
  halfCharacters?: number;
  description: FileDescription;
  read: ReadRows;
}

/** A temporary file of stored rows, by its descriptor. */
export interface StoredPlace {
  fd: number;
}

/** Where a Parquet file is: a path, an address on the hub, or a temporary file if it is compressed. */
export type ParquetPlace = { path: string } | { url: string; size: number } | { fd: number; size: number };

/** What is needed to read the chunks of a file again, also in a worker. */
export type RowLocation = { name: string } & ({ parquet: ParquetPlace } | { stored: StoredPlace });

/** Opens an address on the hub for reading by ranges. */
export type OpenRemote = (url: string, size: number) => AsyncBuffer;

/** Rows in a chunk at most: 10,000 reviews take 4 MB. */
const maxRowsInChunk = 10_000;

/** Bytes in a chunk at most, since texts can have any length. */
const maxBytesInChunk = 16e6;

/** Divides consecutive rows into chunks of limited size. */
export function chunksOf(start: number, rows: number, bytes: number, group = 0): Chunk[] {
  const parts = Math.min(rows, Math.max(Math.ceil(rows / maxRowsInChunk), Math.ceil(bytes / maxBytesInChunk)));
  const size = Math.ceil(rows / parts);
  return Array.from({ length: parts }, (_, i) => {
    const count = Math.min(size, rows - i * size);
    return { start: start + i * size, rows: count, from: 0, bytes: Math.ceil((bytes * count) / rows), group };
  }).filter((chunk) => chunk.rows > 0);
}

/** A chunk and its file. */
export interface FileChunk {
  file: RowFile;
  chunk: Chunk;
}

/** All chunks of several files, in order. */
export const chunksOfFiles = (files: RowFile[]): FileChunk[] =>
  files.flatMap((file) => file.chunks.map((chunk) => ({ file, chunk })));

/** Chunks read at once: each takes a round trip if the file is on the hub. */
const chunksAtOnce = 8;

/** Reads chunks of several files, in order; `start` is the number of rows before a chunk in its file. */
export async function* readChunks(
  chunks: FileChunk[],
  columns: string[],
): AsyncGenerator<{ file: RowFile; start: number; rows: Row[] }> {
  for (let i = 0; i < chunks.length; i += chunksAtOnce) {
    const some = chunks.slice(i, i + chunksAtOnce);
    yield* await Promise.all(
      some.map(async ({ file, chunk }) => ({ file, start: chunk.start, rows: await file.read(chunk, columns) })),
    );
  }
}
