/**
 * A file of rows that can be read in chunks, each independently and in any order: what sampling and streaming need.
 * Each format is one file that exports a `RowFormat`; row-formats.ts lists them.
 */
import type { AsyncBuffer } from 'hyparquet';
import { labelText } from '../settings/label-mapping.js';

/** A row of a file: values by column name. */
export type Row = Record<string, unknown>;

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

/** What a file contains. */
export interface RowIndex {
  columns: string[];
  rows: number;
  /** All rows in order; each chunk is small enough to be read at once. */
  chunks: Chunk[];
  /** Different values of each column, as labels, if the format knows them without reading the rows again; see ColumnValues. */
  values?: Record<string, string[]>;
}

/**
 * Reads the rows of a chunk.
 * @param columns to read; others may be missing in the result
 * @throws ReviewsError if the file is malformed there
 */
export type ReadRows = (chunk: Chunk, columns: string[]) => Promise<Row[]>;

/** An open file of rows. */
export interface RowFile extends RowIndex {
  /** For messages. */
  name: string;
  /** Class names by column, if the file contains them. */
  classNames: Record<string, string[]>;
  read: ReadRows;
}

/** Where a file is: a path, or an address on the hub. */
export type FilePlace = { path: string } | { url: string; size: number };

/** What is needed to open a file again, also in a worker. */
export interface RowLocation {
  name: string;
  /** Name of a format in row-formats.ts. */
  format: string;
  place: FilePlace;
}

/** Opens an address on the hub for reading by ranges. */
export type OpenRemote = (url: string, size: number) => AsyncBuffer;

/** A file format for reviews. */
export interface RowFormat {
  /** In lower case, with the dot. */
  extensions: string[];
  /**
   * Opens a file and finds its columns, chunks and number of rows.
   * @param name for messages
   * @throws ReviewsError if the file is malformed, HubError
   */
  open(name: string, place: FilePlace, openRemote: OpenRemote): Promise<Omit<RowFile, 'name'>>;
  /** Reads rows of a file whose index is known: nothing is parsed but the chunks. */
  reader(name: string, place: FilePlace, columns: string[], openRemote: OpenRemote): Promise<ReadRows>;
}

/** The path of a file that cannot be on the hub, such as CSV. */
export function localPath(place: FilePlace): string {
  if ('path' in place) return place.path;
  throw new TypeError(`${place.url} is on the hub, which serves data sets as Parquet only`);
}

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

/** Rows in a chunk of a text file: about half a megabyte of reviews. */
const linesInChunk = 1000;

/** Appends row number `row`, found at bytes `from` to `to`, to the last chunk or to a new one. */
export function addRow(chunks: Chunk[], row: number, from: number, to: number): void {
  const last = chunks.at(-1);
  if (last && last.rows < linesInChunk && last.bytes < maxBytesInChunk) {
    last.rows++;
    last.bytes = to - last.from;
  } else chunks.push({ start: row, rows: 1, from, bytes: to - from, group: chunks.length });
}

/** Different values of a column that are collected at most: a column with more is no label column. */
const maxValues = 1000;

/** Collects the different values of each column while a file is indexed, so that its labels are known without a second pass. */
export class ColumnValues {
  readonly #values = new Map<string, Set<string>>();

  add(column: string, value: unknown): void {
    let values = this.#values.get(column);
    if (!values) this.#values.set(column, (values = new Set()));
    if (values.size > maxValues) return;
    const label = labelText(value);
    if (label !== '') values.add(label);
  }

  /** By column; of a column with more than 1,000 values the first 1,001. */
  get values(): Record<string, string[]> {
    return Object.fromEntries([...this.#values].map(([column, values]) => [column, [...values]]));
  }
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

/** Reads chunks of several files, in order. */
export async function* readChunks(
  chunks: FileChunk[],
  columns: string[],
): AsyncGenerator<{ file: RowFile; rows: Row[] }> {
  for (let i = 0; i < chunks.length; i += chunksAtOnce) {
    const some = chunks.slice(i, i + chunksAtOnce);
    yield* await Promise.all(some.map(async ({ file, chunk }) => ({ file, rows: await file.read(chunk, columns) })));
  }
}
