/** Reviews from a file of one's own: CSV, JSON lines or Parquet, with the text and label columns that one names. */
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { parse as parseCsv } from 'csv-parse';
import { describeDropped, ReviewsError, type ReviewSet } from './review.js';
import { reviewTable } from './table.js';

export interface ReadOptions {
  /** Columns that make the text, joined by '. ': `['title', 'content']`. */
  textColumns: string[];
  labelColumn: string;
}

type Row = Record<string, unknown>;

/** Line by line, so that a file may be larger than the longest string. */
async function* readJsonLines(file: string): AsyncGenerator<Row> {
  const lines = readline.createInterface({ input: fs.createReadStream(file), crlfDelay: Infinity });
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch (error) {
      throw new ReviewsError(
        `${file}, line ${number}, is not JSON (${(error as Error).message}). Mend or remove that line.`,
      );
    }
    if (typeof row !== 'object' || row === null || Array.isArray(row))
      throw new ReviewsError(`${file}, line ${number}, is not an object with columns, like {"text": …, "label": …}.`);
    yield row as Row;
  }
}

async function* readCsv(file: string): AsyncGenerator<Row> {
  try {
    yield* fs.createReadStream(file).pipe(parseCsv({ columns: true, bom: true, skip_empty_lines: true }));
  } catch (error) {
    throw new ReviewsError(`${file} is not well-formed CSV: ${(error as Error).message}.`);
  }
}

async function* readParquet(file: string): AsyncGenerator<Row> {
  const [{ asyncBufferFromFile, parquetReadObjects }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ]);
  try {
    yield* await parquetReadObjects({ file: await asyncBufferFromFile(file), compressors });
  } catch (error) {
    throw new ReviewsError(`${file} is not a whole Parquet file (${(error as Error).message}). Download it again.`);
  }
}

const readers: Record<string, (file: string) => AsyncGenerator<Row>> = {
  '.csv': readCsv,
  '.jsonl': readJsonLines,
  '.ndjson': readJsonLines,
  '.parquet': readParquet,
};

/** What can be a label, as text; empty for what cannot. */
const labelOf = (value: unknown): string =>
  ['string', 'number', 'boolean', 'bigint'].includes(typeof value) ? String(value).trim() : '';

/**
 * Reads labelled reviews. Labels may be whole numbers, booleans or names; their sorted values become classes 0, 1, …
 * Numbers 0 and 1 are named negative and positive.
 * @throws ReviewsError for a missing file or column (naming those that exist), a broken line (by number), or no rows
 */
export async function readReviews(file: string, { textColumns, labelColumn }: ReadOptions): Promise<ReviewSet> {
  if (!fs.existsSync(file)) throw new ReviewsError(`There is no file ${file}.`);
  const extension = path.extname(file).toLowerCase();
  const read = readers[extension];
  if (!read)
    throw new ReviewsError(
      `${file} ends in '${extension}'; reviews are read from ${Object.keys(readers).join(', ')} files.`,
    );
  const columns = new Set<string>();
  const dropped = { emptyText: 0, missingLabel: 0, belowThreshold: 0 };
  const kept: { text: string; label: string }[] = [];
  for await (const row of read(file)) {
    for (const column of Object.keys(row)) columns.add(column);
    const text = textColumns
      .map((column) => row[column])
      .filter((value) => typeof value === 'string' && value.trim() !== '')
      .map((value) => (value as string).trim())
      .join('. ');
    const label = labelOf(row[labelColumn]);
    if (text === '') dropped.emptyText++;
    else if (label === '') dropped.missingLabel++;
    else kept.push({ text, label });
  }
  if (columns.size === 0) throw new ReviewsError(`${file} has no rows.`);
  for (const column of [...textColumns, labelColumn])
    if (!columns.has(column))
      throw new ReviewsError(`${file} has no column '${column}'. It has: ${[...columns].join(', ')}.`);
  if (kept.length === 0)
    throw new ReviewsError(
      `No row of ${file} can be used: ${describeDropped(dropped)}. Are '${textColumns.join(', ')}' and '${labelColumn}' the right columns?`,
    );
  const values = [...new Set(kept.map(({ label }) => label))].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1));
  const labelNames = values.join() === '0,1' ? ['negative', 'positive'] : values;
  const classOf = new Map(values.map((value, i) => [value, i]));
  const reviews = kept.map(({ text, label }) => ({ text, label: classOf.get(label)! }));
  return { table: reviewTable(reviews, labelNames), labelNames, dropped, source: file };
}
