/** CSV with a head line (csv-parse, RFC 4180): quotes, and newlines inside them. */
import fs from 'node:fs';
import { parse, type CsvError, type Info, type Options } from 'csv-parse';
import { ReviewsError } from '../errors.js';
import { addRow, type Chunk, type Row, type RowIndex } from './row-file.js';

async function* parsed(path: string, name: string, options: Options, range: { start?: number; end?: number } = {}) {
  const input = fs.createReadStream(path, range);
  const parser = parse({ skip_empty_lines: true, ...options });
  // pipe() keeps the input's own errors to itself.
  input.on('error', (error) => parser.destroy(error));
  try {
    yield* input.pipe(parser);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall)
      throw new ReviewsError('REVIEWS_UNREADABLE', `${name} cannot be read: ${(error as Error).message}.`, {
        file: name,
        systemCode: (error as NodeJS.ErrnoException).code,
      });
    throw new ReviewsError('REVIEWS_MALFORMED', `${name} is not well-formed CSV: ${(error as Error).message}.`, {
      file: name,
      line: (error as CsvError)['lines'],
    });
  } finally {
    input.destroy();
  }
}

/**
 * Goes through the file once.
 * @throws ReviewsError naming the line that is broken
 */
export async function indexCsv(name: string, path: string): Promise<RowIndex> {
  let columns: string[] | undefined;
  let rows = 0;
  let from = 0;
  const chunks: Chunk[] = [];
  for await (const entry of parsed(path, name, { bom: true, info: true })) {
    const { record, info } = entry as { record: string[]; info: Info };
    if (!columns) columns = record;
    else {
      addRow(chunks, rows, from, info.bytes);
      rows++;
    }
    from = info.bytes;
  }
  return { columns: columns ?? [], rows, chunks };
}

/** The rows of a chunk, by the head line's names. */
export async function readCsv(name: string, path: string, { from, bytes }: Chunk, columns: string[]): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of parsed(path, name, { columns }, { start: from, end: from + bytes - 1 }))
    rows.push(row as Row);
  return rows;
}
