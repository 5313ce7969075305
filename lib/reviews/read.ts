/** Reviews from a file of one's own: CSV, JSON lines or Parquet, with the text and label columns that one names. */
import fs from 'node:fs';
import path from 'node:path';
import { parse as parseCsv } from 'csv-parse/sync';
import { ReviewsError, type ReviewSet } from './review.js';

export interface ReadOptions {
  /** Columns that make the text, joined by '. ': `['title', 'content']`. */
  textColumns: string[];
  labelColumn: string;
}

type Row = Record<string, unknown>;

function readJsonLines(file: string): Row[] {
  return fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, i) => {
      if (line.trim() === '') return [];
      try {
        return [JSON.parse(line) as Row];
      } catch (error) {
        throw new ReviewsError(
          `${file}, line ${i + 1}, is not JSON (${(error as Error).message}). Mend or remove that line.`,
        );
      }
    });
}

async function readParquet(file: string): Promise<Row[]> {
  const [{ parquetReadObjects }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ]);
  const { buffer, byteOffset, byteLength } = fs.readFileSync(file);
  try {
    return await parquetReadObjects({
      file: buffer.slice(byteOffset, byteOffset + byteLength),
      compressors,
    });
  } catch (error) {
    throw new ReviewsError(`${file} is not a whole Parquet file (${(error as Error).message}). Download it again.`);
  }
}

async function readRows(file: string): Promise<Row[]> {
  if (!fs.existsSync(file)) throw new ReviewsError(`There is no file ${file}.`);
  switch (path.extname(file).toLowerCase()) {
    case '.csv':
      try {
        return parseCsv(fs.readFileSync(file), { columns: true, bom: true, skip_empty_lines: true });
      } catch (error) {
        throw new ReviewsError(`${file} is not well-formed CSV: ${(error as Error).message}.`);
      }
    case '.jsonl':
    case '.ndjson':
      return readJsonLines(file);
    case '.parquet':
      return readParquet(file);
    default:
      throw new ReviewsError(
        `${file} ends in '${path.extname(file)}'; reviews are read from .csv, .jsonl, .ndjson and .parquet.`,
      );
  }
}

/**
 * Reads labelled reviews. Labels may be whole numbers, booleans or names; their sorted values become classes 0, 1, …
 * Numbers 0 and 1 are named negative and positive.
 * @throws ReviewsError for a missing file or column (naming those that exist), a broken line (by number), or no rows
 */
export async function readReviews(file: string, { textColumns, labelColumn }: ReadOptions): Promise<ReviewSet> {
  const rows = await readRows(file);
  if (rows.length === 0) throw new ReviewsError(`${file} has no rows.`);
  const there = new Set(rows.flatMap((row) => Object.keys(row)));
  for (const column of [...textColumns, labelColumn])
    if (!there.has(column))
      throw new ReviewsError(`${file} has no column '${column}'. It has: ${[...there].join(', ')}.`);
  const set: ReviewSet = {
    reviews: [],
    labelNames: [],
    dropped: { emptyText: 0, missingLabel: 0, belowThreshold: 0 },
    source: file,
  };
  const kept: { text: string; label: string }[] = [];
  for (const row of rows) {
    const text = textColumns
      .map((column) => row[column])
      .filter((value) => typeof value === 'string' && value.trim() !== '')
      .map((value) => (value as string).trim())
      .join('. ');
    const value = row[labelColumn];
    const label =
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
        ? String(value).trim()
        : '';
    if (text === '') set.dropped.emptyText++;
    else if (label === '') set.dropped.missingLabel++;
    else kept.push({ text, label });
  }
  const values = [...new Set(kept.map(({ label }) => label))].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1));
  set.labelNames = values.join() === '0,1' ? ['negative', 'positive'] : values;
  set.reviews = kept.map(({ text, label }) => ({ text, label: values.indexOf(label) }));
  return set;
}
