/** CSV with a header line, read by csv-parse (RFC 4180). Quoted values may contain newlines. */
import fs from 'node:fs';
import { parse, type CsvError, type Info, type Options } from 'csv-parse';
import { ReviewsError } from '../errors.js';
import { addRow, ColumnValues, localPath, type Chunk, type Row, type RowFormat, type RowIndex } from './row-file.js';

/** Parses a file, or a range of its bytes. */
async function* parseCsv(path: string, name: string, options: Options, range: { start?: number; end?: number } = {}) {
  const input = fs.createReadStream(path, range);
  const parser = parse({ skip_empty_lines: true, ...options });
  // pipe() does not forward the input's errors.
  input.on('error', (error) => parser.destroy(error));
  try {
    yield* input.pipe(parser);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall)
      throw new ReviewsError(
        'REVIEWS_UNREADABLE',
        `${name} cannot be read: ${(error as Error).message}. Check the path and its permissions.`,
        { file: name, systemCode: (error as NodeJS.ErrnoException).code },
      );
    throw new ReviewsError(
      'REVIEWS_MALFORMED',
      `${name} is malformed CSV: ${(error as Error).message}. Fix or remove that line.`,
      { file: name, line: (error as CsvError)['lines'] },
    );
  } finally {
    input.destroy();
  }
}

/**
 * Parses the whole file once: checks every row and collects the chunks and the values of each column.
 * @throws ReviewsError with the line of the first error
 */
export async function indexCsv(name: string, path: string): Promise<RowIndex> {
  let columns: string[] | undefined;
  let rows = 0;
  let from = 0;
  const chunks: Chunk[] = [];
  const values = new ColumnValues();
  for await (const entry of parseCsv(path, name, { bom: true, info: true })) {
    const { record, info } = entry as { record: string[]; info: Info };
    if (!columns) columns = record;
    else {
      addRow(chunks, rows, from, info.bytes);
      columns.forEach((column, i) => values.add(column, record[i]));
      rows++;
    }
    from = info.bytes;
  }
  return { columns: columns ?? [], rows, chunks, values: values.values };
}

/** Parses the rows of a chunk. */
async function readCsv(name: string, path: string, { from, bytes }: Chunk, columns: string[]): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of parseCsv(path, name, { columns }, { start: from, end: from + bytes - 1 }))
    rows.push(row as Row);
  return rows;
}

export const csv: RowFormat = {
  extensions: ['.csv'],
  async open(name, place) {
    const path = localPath(place);
    const index = await indexCsv(name, path);
    return { ...index, classNames: {}, read: (chunk) => readCsv(name, path, chunk, index.columns) };
  },
  reader: (name, place, columns) => Promise.resolve((chunk) => readCsv(name, localPath(place), chunk, columns)),
};
