/**
 * Rows in a temporary file, in chunks that can be read in any order. All files but Parquet are read once from start to
 * end, which finds bad rows before any work starts, and are stored so: only the columns that are needed, in V8's
 * serialization, which is read faster than any text.
 */
import v8 from 'node:v8';
import { labelText } from '../settings/label-mapping.js';
import { checkSingleLabel } from './labels.js';
import { closeWith, readAt, TemporaryFile } from './formats/temporary-file.js';
import { malformedRowError, type RowReader } from './formats/row-reader.js';
import type { BadRow, Chunk, ReadRows, Row, RowFile, StoredPlace } from './row-file.js';

/** Rows in a chunk: about half a megabyte of reviews. */
const rowsInChunk = 1000;

/** Characters in a chunk at most, since texts can have any length. */
const charactersInChunk = 16e6;

/** Different labels that are counted at most: a column with more is no label column. */
const maxLabels = 1000;

/** Counts the rows of each label. */
class LabelCounts {
  /** By value, so that a value that occurs often is converted once. */
  readonly #counts = new Map<unknown, number>();

  constructor(
    readonly name: string,
    readonly column: string,
  ) {}

  add(value: unknown): void {
    if (this.#counts.size > maxLabels) return;
    const key = typeof value === 'object' ? labelText(value) : value;
    const count = this.#counts.get(key);
    if (count === undefined || typeof value === 'object') checkSingleLabel(this.name, this.column, value);
    this.#counts.set(key, (count ?? 0) + 1);
  }

  get labels(): Map<string, number> {
    const labels = new Map<string, number>();
    for (const [value, count] of this.#counts) {
      const label = labelText(value);
      if (label !== '') labels.set(label, (labels.get(label) ?? 0) + count);
    }
    return labels;
  }
}

/** Bad rows that are kept for messages; the others are counted only. */
const maxBadRows = 5;

/** Values by column. */
type Columns = Record<string, unknown[]>;

function toColumns(rows: Row[], columns: string[]): Columns {
  return Object.fromEntries(columns.map((column) => [column, rows.map((row) => row[column])]));
}

function toRows(columns: Columns, count: number): Row[] {
  const entries = Object.entries(columns);
  return Array.from({ length: count }, (_, i) => {
    const row: Row = {};
    for (const [column, values] of entries) row[column] = values[i];
    return row;
  });
}

/** Reads chunks of stored rows, with all columns that are stored. */
export const storedRowsReader =
  (place: StoredPlace): ReadRows =>
  async ({ from, bytes, rows }: Chunk) =>
    // The file is open as long as `place` exists.
    toRows(v8.deserialize(await readAt(place.fd, from, bytes)) as Columns, rows);

/** Whether a text contains a lone surrogate, which JSON can write as \\ud83d: half of an emoji that was cut. */
const hasHalfCharacter = (value: unknown): boolean => typeof value === 'string' && !value.isWellFormed();

const lengthOf = (row: Row, columns: string[]): number =>
  columns.reduce((sum, column) => sum + (typeof row[column] === 'string' ? row[column].length : 8), 0);

/**
 * Reads a file and stores its rows.
 * @param name for messages
 * @param columns to store. @default all of them
 * @param options.textColumns columns whose half characters are counted
 * @param options.labelColumn column whose different values are counted
 * @param options.skipBadRows leaves out bad rows and counts them. @default false
 * @throws ReviewsError for a bad row, FileError if the disk is full
 */
export async function storeRows(
  name: string,
  reader: RowReader,
  columns: string[] | undefined,
  {
    textColumns,
    labelColumn,
    skipBadRows = false,
  }: { textColumns: string[]; labelColumn: string | undefined; skipBadRows?: boolean | undefined },
): Promise<RowFile & { place: StoredPlace }> {
  const file = new TemporaryFile();
  const chunks: Chunk[] = [];
  const all = new Set(reader.columns);
  const labels = new LabelCounts(name, labelColumn ?? '');
  const badRows: BadRow[] = [];
  let badRowCount = 0;
  let halfCharacters = 0;
  let count = 0;
  let pending: Row[] = [];
  let characters = 0;
  const write = () => {
    if (pending.length === 0) return;
    const bytes = v8.serialize(toColumns(pending, columns ?? [...all]));
    chunks.push({ start: count, rows: pending.length, from: file.size, bytes: bytes.length, group: chunks.length });
    file.append(bytes);
    count += pending.length;
    pending = [];
    characters = 0;
  };
  const onBadRow = (row: BadRow) => {
    if (!skipBadRows) throw malformedRowError(name, row);
    badRowCount++;
    if (badRows.length < maxBadRows) badRows.push(row);
  };
  for await (const rows of reader.rows(onBadRow))
    for (const row of rows) {
      if (reader.hasMoreColumns && !columns) for (const column of Object.keys(row)) all.add(column);
      if (labelColumn !== undefined) labels.add(row[labelColumn]);
      if (textColumns.some((column) => hasHalfCharacter(row[column]))) halfCharacters++;
      pending.push(row);
      characters += lengthOf(row, columns ?? reader.columns);
      if (pending.length >= rowsInChunk || characters >= charactersInChunk) write();
    }
  write();
  const place: StoredPlace = { fd: file.fd };
  closeWith(place, file.fd);
  return {
    name,
    place,
    columns: [...all],
    rows: count,
    chunks,
    classNames: reader.classNames ?? {},
    ...(labelColumn !== undefined && { labels: labels.labels }),
    badRows: { count: badRowCount, first: badRows },
    halfCharacters,
    description: reader.describe(),
    read: storedRowsReader(place),
  };
}
