/**
 * Excel workbooks (.xlsx): the largest sheet with the named columns, or with usual names of text and label, or of
 * all. Read by read-excel-file, which is maintained; `xlsx` on npm
 * has known vulnerabilities.
 */

import readWorkbook from 'read-excel-file/node';
import { ReviewsError } from '../../errors.js';
import { findColumn, isUsualName, namedColumns, type ColumnOptions } from '../columns.js';
import type { Row } from '../row-file.js';
import type { FileBytes } from './bytes.js';
import { checkColumns } from './delimited.js';
import { columnNames, findHeader, isNumbering, rolesOf } from './header.js';
import { checkArchive } from './zip.js';
import { badRow, batchesOf, batchRows, type RowReader, type TextOptions } from './row-reader.js';

type Cell = string | number | boolean | Date | null;

const textOfCell = (cell: Cell | undefined): string =>
  cell === null || cell === undefined
    ? ''
    : cell instanceof Date
      ? cell.toISOString().replace('T00:00:00.000Z', '')
      : String(cell);

async function allBytes({ read }: Pick<FileBytes, 'read'>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of read()) parts.push(part);
  return Buffer.concat(parts);
}

const isEmpty = (row: Cell[]) => row.every((cell) => textOfCell(cell).trim() === '');

/** A cell as plain data; dates as text, since Excel makes dates of labels such as 1-2. */
const plainCell = (cell: Cell | undefined) => (cell instanceof Date ? textOfCell(cell) : (cell ?? null));

interface Sheet {
  sheet: string;
  /** Of the first line of the table, which may be data. */
  names: string[];
  rows: { cells: Cell[]; line: number }[];
  hasHeader: boolean;
  above: number;
}

/** The table of a sheet: its lines that are not empty. */
function tableOf(sheet: string, data: Cell[][], header: TextOptions['header'], wanted: string[]): Sheet {
  const filled = data.map((cells, i) => ({ cells, line: i + 1 })).filter(({ cells }) => !isEmpty(cells));
  const first = filled.slice(0, batchRows).map(({ cells }) => cells.map(textOfCell));
  const { above, first: names, hasHeader } = findHeader(first, header, wanted);
  return { sheet, names, rows: filled.slice(above + (hasHeader ? 1 : 0)), hasHeader, above };
}

/**
 * Opens a workbook.
 * @throws ReviewsError if it is damaged or empty
 */
export async function openExcel(
  { name, ...bytes }: FileBytes,
  { header, columns: given, ...named }: TextOptions & ColumnOptions,
): Promise<RowReader> {
  let sheets: { sheet: string; data: Cell[][] }[];
  try {
    const archive = await allBytes(bytes);
    await checkArchive(archive);
    sheets = (await readWorkbook(archive)) as unknown as typeof sheets;
  } catch (error) {
    throw new ReviewsError(
      'REVIEWS_DAMAGED',
      `${name} is not a valid Excel workbook (${(error as Error).message}). Open it in Excel and save it again, or save it as CSV.`,
      { file: name },
    );
  }
  const wanted = namedColumns(named);
  const tables = sheets
    .map(({ sheet, data }) => tableOf(sheet, data, header, wanted))
    .filter(({ rows, names }) => rows.length > 0 || names.length > 0);
  const bySize = tables.toSorted((a, b) => b.rows.length - a.rows.length);
  const usualNames = ({ names }: Sheet) => names.filter((cell) => isUsualName(cell)).length;
  const chosen =
    (wanted.length > 0
      ? bySize.find(({ names }) => wanted.every((column) => findColumn(names, column) !== undefined))
      : undefined) ??
    bySize.find((table) => usualNames(table) > 1) ??
    bySize[0];
  const { sheet, names, rows, hasHeader, above } = chosen ?? tableOf('', [], header, wanted);
  const width = Math.max(names.length, ...rows.slice(0, batchRows).map(({ cells }) => cells.length));
  if (given && width > 0) checkColumns(name, given, width);
  const columns = given ?? columnNames(Array.from({ length: width }, (_, i) => (hasHeader ? (names[i] ?? '') : '')));
  const texts = rows.slice(0, batchRows).map(({ cells }) => cells.map(textOfCell));
  const roles = (hasHeader && !isNumbering(names)) || given ? undefined : rolesOf(columns, texts);
  const others = tables.filter((each) => each !== chosen).map((each) => `'${each.sheet}'`);
  const format = `Excel, sheet '${sheet}'${others.length > 0 ? `, not ${others.join(', ')}` : ''}`;
  return {
    columns,
    ...(roles && { roles }),
    describe: () => ({ format, header: hasHeader, ...(above > 0 && { linesAboveHeader: above }) }),
    async *rows(onBadRow) {
      const valid: Row[] = [];
      for (const { cells, line } of rows) {
        if (cells.length > columns.length && cells.slice(columns.length).some((cell) => textOfCell(cell) !== ''))
          onBadRow(
            badRow(line, `has ${cells.length} values instead of ${columns.length}`, cells.map(textOfCell).join(' | ')),
          );
        else valid.push(Object.fromEntries(columns.map((column, c) => [column, plainCell(cells[c])])));
      }
      yield* batchesOf(valid);
    },
  };
}
