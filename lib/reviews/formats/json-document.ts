/**
 * A JSON document: an array of objects, which is streamed, or the tables of pandas and of dicts of lists, of which a
 * whole column must be in memory.
 */
import { Readable } from 'node:stream';
import chain from 'stream-chain';
import { parser } from 'stream-json';
import { streamArray } from 'stream-json/streamers/stream-array.js';
import { ReviewsError } from '../../errors.js';
import { exactNumber, parseExact, stringifyExact } from '../exact-json.js';
import type { Row } from '../row-file.js';
import { isUsualName } from '../columns.js';
import { invalidBytes, withoutMarks } from './encoding.js';
import {
  badRow,
  badEncoding,
  batchesOf,
  batchRows,
  describeText,
  type RowReader,
  type TextFile,
} from './row-reader.js';

const isObject = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);

const malformedError = (file: TextFile, reason: string) =>
  new ReviewsError(
    'REVIEWS_MALFORMED',
    `${file.name} is not a JSON table: ${withoutMarks(reason).replace(/\s+/g, ' ')}. Write an array of objects, or an object per line: [{"text": …, "label": …}].`,
    { file: file.name },
  );

/** The error for JSON without rows, such as the settings of another program. */
const noTableError = (file: TextFile, reason: string) =>
  new ReviewsError('REVIEWS_NO_TABLE', malformedError(file, reason).message, { file: file.name });

/** Keeps the digits of numbers beyond 2^53: stream-json assembles the values of strings as they are. */
function exactToken(token: parser.Token): parser.Token {
  if (token.name !== 'numberValue') return token;
  const value = exactNumber(token.value);
  return typeof value === 'bigint' ? { name: 'stringValue', value: value as unknown as string } : token;
}

/** Elements of an array, with their numbers from 1. */
async function* elementsOf(file: TextFile): AsyncGenerator<{ value: unknown; number: number }> {
  const text = Readable.from(file.read());
  const elements = chain([text, parser(), exactToken, streamArray()]) as unknown as AsyncIterable<{
    key: number;
    value: unknown;
  }>;
  try {
    for await (const { key, value } of elements) yield { value, number: key + 1 };
  } catch (error) {
    if (error instanceof ReviewsError) throw error;
    throw malformedError(file, (error as Error).message);
  }
}

/** An array of objects. */
async function openArray(file: TextFile): Promise<RowReader> {
  const columns = new Set<string>();
  for await (const { value, number } of elementsOf(file)) {
    if (isObject(value)) for (const column of validKeys(value)) columns.add(column);
    else if (number === 1) throw noTableError(file, 'its elements are no objects');
    if (number >= batchRows) break;
  }
  return {
    columns: [...columns],
    hasMoreColumns: true,
    describe: () => describeText(file, 'JSON array'),
    async *rows(onBadRow) {
      let rows: Row[] = [];
      for await (const { value, number } of elementsOf(file)) {
        const content = isObject(value) ? '' : stringifyExact(value);
        const invalid = isObject(value) ? badValues(value, number, file.encoding()) : undefined;
        if (!isObject(value)) onBadRow(badRow(number, 'of the array is no object', content));
        else if (invalid) onBadRow(invalid);
        else rows.push(value);
        if (rows.length >= batchRows) {
          yield rows;
          rows = [];
        }
      }
      if (rows.length > 0) yield rows;
    },
  };
}

function badValues(row: Row, number: number, encoding: string) {
  for (const value of Object.entries(row).flat()) {
    const bad = typeof value === 'string' ? badEncoding(number, value, encoding) : undefined;
    if (bad) return bad;
  }
  return undefined;
}

/** The keys of a row that have no invalid bytes; a row with others is a bad row. */
const validKeys = (row: Row): string[] => Object.keys(row).filter((key) => !key.includes(invalidBytes));

/**
 * The rows of a table by columns, {"text": {"0": …}, "label": {"0": …}} or {"text": […], "label": […]}; by index; or
 * within a document, {"data": [{"text": …}]}, as pandas' orients `split` and `table` and many exports have it.
 */
function rowsOfTable(table: Row, file: TextFile): Row[] {
  const entries = Object.entries(table);
  const damaged = Object.keys(table).find((key) => key.includes(invalidBytes));
  if (damaged !== undefined)
    throw malformedError(file, `the name '${damaged}' has bytes that are not valid ${file.encoding()}`);
  const { columns, data, rows } = table;
  // The hub's API for rows: {"rows": [{"row_idx": 0, "row": {…}}]}.
  if (Array.isArray(rows) && rows.length > 0 && rows.every((each) => isObject(each) && isObject(each['row'])))
    return rows.map((each: Row) => each['row'] as Row);
  // pandas' orient="split": {"columns": […], "index": […], "data": [[…], …]}.
  if (Array.isArray(columns) && Array.isArray(data) && data.every((row) => Array.isArray(row)))
    return data.map((row: unknown[]) => Object.fromEntries(columns.map((column, i) => [String(column), row[i]])));
  const lists = entries.map(([, value]) => value).filter((value) => Array.isArray(value) && value.length > 0);
  if (lists.length === 1 && (lists[0] as unknown[]).every(isObject)) return lists[0] as Row[];
  if (entries.length === 0 || !entries.every(([, value]) => typeof value === 'object' && value !== null))
    throw noTableError(file, 'it is one object');
  const [, first] = entries[0]!;
  // pandas' orient="index": {"0": {"text": …, "label": …}}.
  if (isObject(first) && Object.keys(first).some(isUsualName) && !entries.some(([name]) => isUsualName(name)))
    return entries.map(([, row]) => row as Row);
  const keys = Object.keys(first as object);
  const other = entries.find(([, values]) => Object.keys(values as object).length !== keys.length);
  if (other)
    throw malformedError(
      file,
      `'${other[0]}' has ${Object.keys(other[1] as object).length} values and '${entries[0]![0]}' ${keys.length}`,
    );
  return keys.map((key) => Object.fromEntries(entries.map(([column, values]) => [column, (values as Row)[key]])));
}

/** Maximum number of characters of a string in V8, about 512 MB. */
const maxCharacters = 2 ** 29 - 24;

async function openTable(file: TextFile): Promise<RowReader> {
  const parts: string[] = [];
  let length = 0;
  for await (const block of file.read()) {
    parts.push(block);
    length += block.length;
    if (length > maxCharacters)
      throw malformedError(file, 'a table by columns of more than 512 MB does not fit into memory');
  }
  let table: unknown;
  try {
    table = parseExact(parts.join(''));
  } catch (error) {
    throw malformedError(file, (error as Error).message);
  }
  if (!isObject(table)) throw noTableError(file, 'it is no object');
  const rows = rowsOfTable(table, file);
  return {
    columns: [...new Set(rows.slice(0, batchRows).flatMap((row) => (isObject(row) ? validKeys(row) : [])))],
    describe: () => describeText(file, 'JSON table'),
    async *rows(onBadRow) {
      const valid = rows.filter((row, i) => {
        const bad = isObject(row)
          ? badValues(row, i + 1, file.encoding())
          : badRow(i + 1, 'of the table is no object', stringifyExact(row));
        if (bad) onBadRow(bad);
        return !bad;
      });
      yield* batchesOf(valid);
    },
  };
}

/** Opens a JSON document, whose first character is a bracket or a brace. */
export const openJsonDocument = (file: TextFile): Promise<RowReader> =>
  file.head.trimStart().startsWith('[') ? openArray(file) : openTable(file);
