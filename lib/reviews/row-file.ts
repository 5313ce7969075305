/**
 * A file of rows that can be read in pieces, each for itself and in any order: what sampling and streaming need. Parquet
 * has row groups; CSV and JSON lines are gone through once, which checks every line, and remembered by where runs of rows
 * begin.
 */
import type { AsyncBuffer } from 'hyparquet';
import { indexCsv, readCsv } from './csv.js';
import { indexJsonLines, readJsonLines } from './json-lines.js';
import { openParquet } from './parquet.js';

/** A row as a file holds it, by the columns' names. */
export type Row = Record<string, unknown>;

/** A run of rows. */
export interface Chunk {
  /** The first row's number in the file. */
  start: number;
  rows: number;
  /** Where its bytes begin; of no meaning in Parquet, whose columns stand apart. */
  from: number;
  /** Bytes to read for it; of Parquet about. */
  bytes: number;
  /** Chunks of one number are read from the same bytes: a Parquet row group that was too large for one. */
  group: number;
}

/** What a file holds. */
export interface RowIndex {
  columns: string[];
  rows: number;
  /** All rows, in their order; none is too large to be read at once. */
  chunks: Chunk[];
}

/**
 * Reads the rows of a chunk.
 * @param columns those to read; of others nothing is known
 * @throws ReviewsError when the file is broken there
 */
export type ReadRows = (chunk: Chunk, columns: string[]) => Promise<Row[]>;

/** A file of rows, opened: any run of them can be read. */
export interface RowFile extends RowIndex {
  /** For the reader. */
  name: string;
  /** Class names by column, where the file knows them. */
  classNames: Record<string, string[]>;
  read: ReadRows;
}

/** Enough to open a file again, in a worker too. */
export type RowLocation = { name: string } & (
  | { format: 'csv' | 'jsonl'; place: { path: string } }
  | { format: 'parquet'; place: { path: string } | { url: string; size: number } }
);

/** More would be too much at once: 10,000 reviews are 4 MB, … */
const mostRowsInChunk = 10_000;

/** … but texts may be of any length. */
const mostBytesInChunk = 16e6;

/** Cuts a run of rows into chunks of a bearable size. */
export function chunksOf(start: number, rows: number, bytes: number, group = 0): Chunk[] {
  const parts = Math.min(rows, Math.max(Math.ceil(rows / mostRowsInChunk), Math.ceil(bytes / mostBytesInChunk)));
  const size = Math.ceil(rows / parts);
  return Array.from({ length: parts }, (_, i) => {
    const count = Math.min(size, rows - i * size);
    return { start: start + i * size, rows: count, from: 0, bytes: Math.ceil((bytes * count) / rows), group };
  }).filter((chunk) => chunk.rows > 0);
}

/** Rows in a chunk of a file of lines: about half a megabyte of reviews. */
const linesInChunk = 1000;

/** Notes the place of row number `row`, in the last chunk or in a new one. */
export function addRow(chunks: Chunk[], row: number, from: number, to: number): void {
  const last = chunks.at(-1);
  if (last && last.rows < linesInChunk && last.bytes < mostBytesInChunk) {
    last.rows++;
    last.bytes = to - last.from;
  } else chunks.push({ start: row, rows: 1, from, bytes: to - from, group: chunks.length });
}

/** Opens a place on the hub. */
export type OpenRemote = (url: string, size: number) => AsyncBuffer;

/** A run of rows, and the file that it is of. */
export interface FileChunk {
  file: RowFile;
  chunk: Chunk;
}

/** All runs of rows of several files, in their order. */
export const chunksOfFiles = (files: RowFile[]): FileChunk[] =>
  files.flatMap((file) => file.chunks.map((chunk) => ({ file, chunk })));

/** Chunks read at once: each costs a round trip where the file is on the hub. */
const chunksAtOnce = 8;

/** Reads chunks of several files, in their order. */
export async function* readChunks(
  chunks: FileChunk[],
  columns: string[],
): AsyncGenerator<{ file: RowFile; rows: Row[] }> {
  for (let i = 0; i < chunks.length; i += chunksAtOnce) {
    const some = chunks.slice(i, i + chunksAtOnce);
    yield* await Promise.all(some.map(async ({ file, chunk }) => ({ file, rows: await file.read(chunk, columns) })));
  }
}

/** Rows of a file whose index is known already. */
export async function rowReader(location: RowLocation, columns: string[], open: OpenRemote): Promise<ReadRows> {
  const { name, format, place } = location;
  if (format === 'csv') return (chunk) => readCsv(name, place.path, chunk, columns);
  if (format === 'jsonl') return (chunk) => readJsonLines(place.path, chunk);
  return (await openParquet(name, 'path' in place ? place.path : open(place.url, place.size))).read;
}

/** @throws ReviewsError when the file is broken; HubError */
export async function openRowFile(location: RowLocation, open: OpenRemote): Promise<RowFile> {
  const { name, format, place } = location;
  if (format === 'parquet')
    return { name, ...(await openParquet(name, 'path' in place ? place.path : open(place.url, place.size))) };
  const index = await (format === 'csv' ? indexCsv(name, place.path) : indexJsonLines(name, place.path));
  return { name, ...index, classNames: {}, read: await rowReader(location, index.columns, open) };
}
