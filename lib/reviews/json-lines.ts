/** JSON lines: one object per line. */
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { ReviewsError } from '../errors.js';
import { addRow, ColumnValues, localPath, type Chunk, type Row, type RowFormat, type RowIndex } from './row-file.js';

/** Yields lines and the offset after each. A line may be longer than one read. */
async function* linesOf(path: string): AsyncGenerator<{ text: string; end: number }> {
  let rest: Buffer[] = [];
  let offset = 0;
  for await (const data of fs.createReadStream(path, { highWaterMark: 1 << 20 })) {
    let bytes = data as Buffer;
    for (let newline; (newline = bytes.indexOf(10)) >= 0; bytes = bytes.subarray(newline + 1)) {
      const line = Buffer.concat([...rest, bytes.subarray(0, newline)]);
      rest = [];
      offset += line.length + 1;
      yield { text: line.toString('utf8'), end: offset };
    }
    rest.push(bytes);
  }
  const line = Buffer.concat(rest);
  if (line.length > 0) yield { text: line.toString('utf8'), end: offset + line.length };
}

/**
 * Parses the whole file once: checks every line and collects the chunks and the values of each column.
 * @throws ReviewsError with the line of the first error
 */
async function indexJsonLines(name: string, path: string): Promise<RowIndex> {
  const values = new ColumnValues();
  const columns = new Set<string>();
  const chunks: Chunk[] = [];
  let rows = 0;
  let number = 0;
  let from = 0;
  for await (const { text, end } of linesOf(path)) {
    number++;
    if (text.trim() !== '') {
      let row: unknown;
      try {
        row = JSON.parse(text.replace(/^\ufeff/, ''));
      } catch (error) {
        throw new ReviewsError(
          'REVIEWS_MALFORMED',
          `${name}, line ${number}, is not JSON (${(error as Error).message}). Fix or remove that line.`,
          { file: name, line: number },
        );
      }
      if (typeof row !== 'object' || row === null || Array.isArray(row))
        throw new ReviewsError(
          'REVIEWS_MALFORMED',
          `${name}, line ${number}, is not an object such as {"text": …, "label": …}. Fix or remove that line.`,
          { file: name, line: number },
        );
      for (const [column, value] of Object.entries(row)) {
        columns.add(column);
        values.add(column, value);
      }
      addRow(chunks, rows, from, end);
      rows++;
    }
    from = end;
  }
  return { columns: [...columns], rows, chunks, values: values.values };
}

/** Parses the rows of a chunk. */
async function readJsonLines(path: string, { from, bytes: size }: Chunk): Promise<Row[]> {
  const bytes = Buffer.alloc(size);
  const handle = await open(path);
  try {
    await handle.read(bytes, 0, size, from);
  } finally {
    await handle.close();
  }
  return bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line.replace(/^\ufeff/, '')) as Row);
}

export const jsonLines: RowFormat = {
  extensions: ['.jsonl', '.ndjson'],
  async open(name, place) {
    const path = localPath(place);
    return { ...(await indexJsonLines(name, path)), classNames: {}, read: (chunk) => readJsonLines(path, chunk) };
  },
  reader: (_, place) => Promise.resolve((chunk) => readJsonLines(localPath(place), chunk)),
};
