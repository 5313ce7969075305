/**
 * One object per line: JSON, or the literals of Python's dict, which older data sets contain. A line with more than one
 * value for a key has the last one, as in Python.
 */
import { isUsualName } from '../columns.js';
import { parseExact } from '../exact-json.js';
import type { Row } from '../row-file.js';
import { invalidBytes } from './encoding.js';
import {
  badEncoding,
  badRow,
  describeText,
  linesOf,
  malformedRowError,
  type RowReader,
  type TextFile,
} from './row-reader.js';

/** Reads a line; throws a SyntaxError if it is malformed. */
type ParseLine = (line: string) => unknown;

const pythonToken =
  /[uUbB]?'((?:[^'\\]|\\.)*)'|[uUbB]?"((?:[^"\\]|\\.)*)"|\b(?:None|True|False|nan|inf|NaN|-?Infinity)\b|[()]|,(?=\s*[}\])])/g;

const pythonEscapes: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  0: '\0',
};

const unescapePython = (text: string): string =>
  text.replace(
    /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|(.))/gis,
    (_, byte?: string, short?: string, long?: string, character = '') =>
      (byte ?? short ?? long) === undefined
        ? (pythonEscapes[character as string] ?? (character as string))
        : String.fromCodePoint(parseInt((byte ?? short ?? long)!, 16)),
  );

const pythonWords: Record<string, string> = {
  None: 'null',
  True: 'true',
  False: 'false',
  nan: 'null',
  inf: 'null',
  NaN: 'null',
  Infinity: 'null',
};

/** Reads a Python literal of dicts, lists, tuples, strings, numbers, None, True and False by rewriting it as JSON. */
export const parsePython: ParseLine = (line) =>
  parseExact(
    line.replace(pythonToken, (token: string, single?: string, double?: string) => {
      const text = single ?? double;
      if (text !== undefined) return JSON.stringify(unescapePython(text));
      if (token === '(') return '[';
      if (token === ')') return ']';
      return pythonWords[token.replace('-', '')] ?? '';
    }),
  );

/** Python's json writes NaN and Infinity, which JSON does not have. */
const parseJson: ParseLine = (line) => {
  try {
    return parseExact(line);
  } catch (error) {
    if (/\b(?:NaN|Infinity)\b/.test(line)) return parsePython(line);
    throw error;
  }
};

const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads a line with one of the parsers; undefined if it is no object. */
function rowOf(text: string, parse: ParseLine): Row | undefined {
  try {
    const value = parse(text);
    return isRow(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Lines that are read to find the columns. */
const linesForColumns = 1000;

/** The first lines that are not empty: at least two, if there are, and at most those of the beginning of the file. */
async function firstLines(file: TextFile): Promise<string[]> {
  const found: string[] = [];
  let characters = 0;
  for await (const block of linesOf(file)) {
    for (const { text } of block) {
      characters += text.length;
      if (text.trim() !== '') found.push(text);
      if (found.length >= linesForColumns || (found.length > 1 && characters > file.head.length)) return found;
    }
  }
  return found;
}

const malformedLine = (line: number, text: string, parse: ParseLine) =>
  badRow(line, `is no ${parse === parseJson ? 'JSON object' : 'Python dict'}`, text);

/**
 * Whether an object is a table by columns, or a document that contains rows, such as {"version": 1, "data": [{…}]}.
 * @param isLine whether the file promises an object per line, so that a list of objects is a value
 */
function isTable(row: Row, isLine: boolean): boolean {
  const values = Object.values(row);
  const isList = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isRow);
  return (
    values.every((value) => typeof value === 'object' && value !== null) ||
    (!isLine && values.some(isList) && !Object.keys(row).some(isUsualName))
  );
}

/**
 * Opens a file of one object per line.
 * @param isJson whether the name of the file says so
 * @returns undefined if the first line is no object, or if it is a whole table
 * @throws ReviewsError if the first line is no object although the file is named `.jsonl`
 */
export async function openJsonLines(file: TextFile, isJson: boolean): Promise<RowReader | undefined> {
  const lines = await firstLines(file);
  const [first] = lines;
  if (first === undefined) return undefined;
  const parse = [parseJson, parsePython].find((each) => rowOf(first, each));
  if (!parse) {
    if (isJson) throw malformedRowError(file.name, malformedLine(1, first, parseJson));
    return undefined;
  }
  if (lines.length === 1 && isTable(rowOf(first, parse)!, isJson)) return undefined;
  // Lines with invalid bytes are bad rows.
  const valid = lines.filter((line) => !line.includes(invalidBytes));
  const columns = new Set(valid.flatMap((line) => Object.keys(rowOf(line, parse) ?? {})));
  return {
    columns: [...columns],
    hasMoreColumns: true,
    describe: () => describeText(file, parse === parseJson ? 'JSON lines' : 'lines of Python dicts'),
    async *rows(onBadRow) {
      for await (const block of linesOf(file)) {
        const rows: Row[] = [];
        for (const { text, line } of block) {
          if (text.trim() === '') continue;
          const invalid = badEncoding(line, text, file.encoding());
          const row = invalid ? undefined : rowOf(text, parse);
          if (row) rows.push(row);
          else onBadRow(invalid ?? malformedLine(line, text, parse));
        }
        if (rows.length > 0) yield rows;
      }
    },
  };
}
