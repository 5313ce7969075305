/**
 * Delimited text: CSV and its relatives, with or without a header, and lines of text. Read by Papa Parse (RFC 4180),
 * which is faster than Python's csv. Newlines within texts are read as LF.
 */
import { ReviewsError, SettingsError } from '../../errors.js';
import { readDelimiter } from '../../settings/delimiter.js';
import { settingText } from '../../settings/setting-text.js';
import { namedColumns, type ColumnOptions } from '../columns.js';
import type { BadRow, Row } from '../row-file.js';
import { detectDialect, isEmptyRow, mostFrequentLength, noDelimiter, parseRows, type Dialect } from './delimiter.js';
import { invalidBytes } from './encoding.js';
import { columnNames, findHeader, isNumbering, rolesOf } from './header.js';
import {
  badEncoding,
  badRow,
  describeText,
  malformedRowError,
  type RowReader,
  type TextFile,
  type TextOptions,
} from './row-reader.js';

/** Maximum number of characters in a row; a quote that is not closed would take the rest of the file. */
const maxRowCharacters = 1 << 22;

/** The values of a row, and the number of its first line. */
interface Cells {
  cells: string[];
  line: number;
  /** Whether values must be examined: the row has several lines, or its block has invalid bytes or CR. */
  isUnusual: boolean;
}

/** Number of lines of a row. */
function linesIn(row: string[]): number {
  let lines = 1;
  for (const cell of row) for (let at = cell.indexOf('\n'); at >= 0; at = cell.indexOf('\n', at + 1)) lines++;
  return lines;
}

/** The text after a number of lines. */
function afterLines(text: string, lines: number): string {
  let at = 0;
  for (let i = 0; i < lines; i++) at = text.indexOf('\n', at) + 1;
  return text.slice(at);
}

/** Parses text that arrives in blocks. */
class DelimitedParser {
  #text = '';
  #line: number;

  /**
   * @param columns number of columns
   * @param firstLine number of the first line of the text
   * @param onBadRow receives rows whose quotes are wrong
   */
  constructor(
    readonly dialect: Dialect,
    readonly columns: number,
    firstLine: number,
    readonly onBadRow: (row: BadRow) => void,
  ) {
    this.#line = firstLine;
  }

  /**
   * Parses all rows that are complete. A row whose quotes are wrong ends with its line, so that it does not damage the
   * following rows.
   * @param isEnd whether this is the last block
   */
  *parse(block: string, isEnd: boolean): Generator<Cells[]> {
    this.#text += block;
    while (this.#text !== '') {
      const { rows, quoteErrors, end } = parseRows(this.#text, this.dialect, isEnd);
      // An error in an incomplete row may disappear with the next block.
      const firstError = Math.min(...quoteErrors);
      const isBroken = firstError < rows.length;
      const parsed: Cells[] = [];
      const before = this.#line;
      const isUnusual = this.#text.includes(invalidBytes) || this.#text.includes('\r');
      for (const cells of isBroken ? rows.slice(0, firstError) : rows) {
        const lines = linesIn(cells);
        if (!isEmptyRow(cells)) parsed.push({ cells, line: this.#line, isUnusual: isUnusual || lines > 1 });
        this.#line += lines;
      }
      if (parsed.length > 0) yield parsed;
      this.#text = isBroken ? afterLines(this.#text, this.#line - before) : this.#text.slice(end);
      if (!isBroken && (isEnd || this.#text.length < maxRowCharacters)) return;
      const literal = this.#takeLine();
      if (literal) yield [literal];
    }
  }

  /** Takes a line with wrong quotes: as values without quotes if tabs divide it into the columns, as in GLUE's files. */
  #takeLine(): Cells | undefined {
    const end = this.#text.indexOf('\n');
    const content = end < 0 ? this.#text : this.#text.slice(0, end);
    this.#text = end < 0 ? '' : this.#text.slice(end + 1);
    const line = this.#line++;
    const cells = content.split(this.dialect.delimiter);
    if (this.dialect.delimiter === '\t' && cells.length === this.columns) return { cells, line, isUnusual: true };
    this.onBadRow(badRow(line, 'has a quote that is not closed', content));
    return undefined;
  }
}

/** Excel's line that names the delimiter. */
const delimiterLine = /^"?sep=(.)"?\r?\n/;

/** Makes LF the newline. Files of old Macs have CR, and LF only within quotes. */
function normalizeNewlines(head: string): (text: string) => string {
  const unquoted = head.replace(/"[^"]*"?/g, '');
  const count = (newline: string) => unquoted.split(newline).length;
  const isMac = !head.includes('\r\n') && count('\r') > count('\n');
  return isMac
    ? (text) => text.replaceAll('\r', '\n')
    : (text) => (text.includes('\r') ? text.replaceAll('\r\n', '\n') : text);
}

/** Extensions of files that promise a table, and the delimiter if they promise one; other text may be a text per line. */
const tableExtensions: { [extension: string]: string | undefined } = { '.csv': undefined, '.tsv': '\t', '.tab': '\t' };

/** @throws ReviewsError if the columns are not as many as their names */
export function checkColumns(name: string, columns: string[], count: number): void {
  if (columns.length !== count)
    throw new ReviewsError(
      'REVIEWS_COLUMNS_MISMATCH',
      `${name} has ${count} ${count === 1 ? 'column' : 'columns'}, but ${settingText('columns')} names ${columns.length}: ${columns.join(', ')}. ` +
        'Name every column, in order.',
      { file: name, columns, count },
    );
}

/**
 * Opens delimited text.
 * @throws SettingsError for an impossible delimiter
 * @throws ReviewsError if the named columns do not fit, or the header has invalid bytes
 */
export function openDelimited(file: TextFile, options: TextOptions & ColumnOptions): RowReader {
  const wanted = namedColumns(options);
  const normalize = normalizeNewlines(file.head);
  const named = options.delimiter === undefined ? undefined : readDelimiter(options.delimiter);
  if (options.delimiter !== undefined && named === undefined)
    throw new SettingsError(
      'SETTING_INVALID',
      `${settingText('delimiter')} is '${options.delimiter}', which cannot be a delimiter. Name a character, or comma, semicolon, tab or pipe.`,
      { name: 'delimiter', value: options.delimiter },
    );
  const isTable = file.extension in tableExtensions;
  const [delimiterText = '', declared] = delimiterLine.exec(file.head) ?? [];
  const head = normalize(file.head.slice(delimiterText.length));
  const dialect = detectDialect(head, {
    isWhole: file.isWhole,
    isTable,
    expected: tableExtensions[file.extension],
    delimiter: named ?? declared,
  });
  const parsed = parseRows(head, dialect, file.isWhole).rows.filter((row) => !isEmptyRow(row));
  const { above, first, hasHeader, values } = findHeader(parsed, options.header, wanted);
  if (options.columns && first.length > 0) checkColumns(file.name, options.columns, first.length);
  const width = hasHeader ? first.length : mostFrequentLength(values).length;
  const columns = options.columns ?? columnNames(hasHeader ? first : Array.from({ length: width }, () => ''));
  const badHeader = hasHeader ? badEncoding(above + 1, first.join(dialect.delimiter), file.encoding()) : undefined;
  if (badHeader) throw malformedRowError(file.name, badHeader);
  const roles = (hasHeader && !isNumbering(first)) || options.columns ? undefined : rolesOf(columns, values);
  const plainName = (cell: string) => cell.replace('\uFEFF', '').trim().toLowerCase();
  const names = first.map(plainName);
  const isHeaderAgain = (cells: string[]) =>
    hasHeader &&
    names.length > 1 &&
    cells.length === names.length &&
    // Most rows differ in the length of their first value already.
    Math.abs(cells[0]!.length - first[0]!.length) <= 2 &&
    cells.every((cell, i) => plainName(cell) === names[i]);
  const describeCells = (cells: string[]) => cells.join(dialect.delimiter === noDelimiter ? '' : dialect.delimiter);
  return {
    columns,
    ...(roles && { roles }),
    describe: () => ({
      ...describeText(file, dialect.delimiter === noDelimiter ? 'text' : 'delimited text'),
      ...(dialect.delimiter !== noDelimiter && { delimiter: dialect.delimiter }),
      header: hasHeader,
      ...(above > 0 && { linesAboveHeader: above }),
    }),
    async *rows(onBadRow) {
      const swallowed = endOfRow(dialect.delimiter);
      // The line after the last bad row.
      let afterBadRow = 0;
      const report = (row: BadRow, lines: number) => {
        afterBadRow = row.line + lines;
        onBadRow(row);
      };
      const parser = new DelimitedParser(dialect, columns.length, delimiterText ? 2 : 1, (row) => report(row, 1));
      let skippedRows = above + (hasHeader ? 1 : 0);
      function* toRows(parsed: Generator<Cells[]>): Generator<Row[]> {
        for (const batch of parsed) {
          const rows: Row[] = [];
          for (const { cells, line, isUnusual } of batch) {
            if (skippedRows > 0) {
              skippedRows--;
              continue;
            }
            const bad =
              (isHeaderAgain(cells) ? badRow(line, 'repeats the header', describeCells(cells)) : undefined) ??
              wrongLength(cells, columns.length, line, describeCells) ??
              (isUnusual ? badValue(cells, line, describeCells, file.encoding(), swallowed) : undefined) ??
              (line === afterBadRow ? restOfBadRow(cells, line, describeCells) : undefined);
            if (bad) {
              report(bad, linesIn(cells));
              continue;
            }
            const row: Row = {};
            for (let i = 0; i < columns.length; i++) row[columns[i]!] = cells[i];
            rows.push(row);
          }
          if (rows.length > 0) yield rows;
        }
      }
      let skip = delimiterText.length;
      let carriageReturn = '';
      for await (const block of file.read()) {
        let text = carriageReturn + block;
        // A newline may be divided between two blocks.
        carriageReturn = text.endsWith('\r') ? '\r' : '';
        if (carriageReturn) text = text.slice(0, -1);
        const skipped = Math.min(skip, text.length);
        skip -= skipped;
        yield* toRows(parser.parse(normalize(text.slice(skipped)), false));
      }
      yield* toRows(parser.parse(normalize(carriageReturn), true));
    },
  };
}

/**
 * The row after a bad one, if a value of it has a quote that nothing opens: probably the end of a text whose beginning is in the bad
 * row, which must not be read as a whole one.
 */
const restOfBadRow = (cells: string[], line: number, describe: (cells: string[]) => string): BadRow | undefined =>
  cells.some((cell) => !cell.startsWith('"') && (cell.endsWith('"') || cell.split('"').length % 2 === 0))
    ? badRow(line, 'has a quote that is not opened', describe(cells))
    : undefined;

/**
 * The end of a row within a value, such as `",positive⏎` or `"⏎positive,"`: wrong quotes or newlines (CR in a file
 * with LF) join two rows to a valid one.
 * In sentences a space follows the delimiter.
 */
function endOfRow(delimiter: string): RegExp {
  const escaped = delimiter.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`"${escaped}[^\\s][^\\n]{0,100}\\n|"\\n[^\\s"][^\\n]{0,100}${escaped}"|\\r"`);
}

/** The error of a row with too few or too many values. Empty values after the last column are no error. */
function wrongLength(
  cells: string[],
  columns: number,
  line: number,
  describe: (cells: string[]) => string,
): BadRow | undefined {
  const isWrong =
    cells.length < columns || (cells.length > columns && cells.slice(columns).some((cell) => cell.trim() !== ''));
  const values = `${cells.length} ${cells.length === 1 ? 'value' : 'values'}`;
  return isWrong ? badRow(line, `has ${values} instead of ${columns}`, describe(cells)) : undefined;
}

/** The error of a row with invalid bytes or the end of another row in a value. */
function badValue(
  cells: string[],
  line: number,
  describe: (cells: string[]) => string,
  encoding: string,
  swallowed: RegExp,
): BadRow | undefined {
  for (const cell of cells) {
    const bad = badEncoding(line, cell, encoding);
    if (bad) return bad;
    if (swallowed.test(cell))
      return badRow(line, 'has the end of a row within a value, so that a quote may be wrong', describe(cells));
  }
  return undefined;
}
