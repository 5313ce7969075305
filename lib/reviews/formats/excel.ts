/**
 * Excel workbooks (.xlsx): the first sheet that is not empty. Read by read-excel-file, which is maintained; `xlsx` on npm
 * has known vulnerabilities.
 */

import readWorkbook from 'read-excel-file/node';
import { ReviewsError } from '../../errors.js';
import type { Row } from '../row-file.js';
import type { FileBytes } from './bytes.js';
import { columnNames, isHeader, rolesOf } from './header.js';
import { checkArchive } from './zip.js';
import { badRow, batchesOf, batchRows, type RowReader, type TextOptions } from './row-reader.js';

type Cell = string | number | boolean | Date | null;

const textOfCell = (cell: Cell | undefined): string =>
  cell === null || cell === undefined ? '' : cell instanceof Date ? cell.toISOString() : String(cell);

async function allBytes({ read }: Pick<FileBytes, 'read'>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of read()) parts.push(part);
  return Buffer.concat(parts);
}

const isEmpty = (row: Cell[]) => row.every((cell) => textOfCell(cell).trim() === '');

/**
 * Opens a workbook.
 * @throws ReviewsError if it is damaged or empty
 */
export async function openExcel(
  { name, ...bytes }: FileBytes,
  { header, columns: given }: TextOptions,
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
  const filled = sheets.filter(({ data }) => data.some((row) => !isEmpty(row)));
  const { sheet, data } = filled[0] ?? { sheet: '', data: [] };
  const all = data.map((cells, i) => ({ cells, line: i + 1 })).filter(({ cells }) => !isEmpty(cells));
  const names = all[0]?.cells.map(textOfCell) ?? [];
  const texts = (rows: typeof all) => rows.slice(0, batchRows).map(({ cells }) => cells.map(textOfCell));
  const hasHeader = header === undefined || header === 'auto' ? isHeader(names, texts(all.slice(1))) : header;
  const columns = given ?? columnNames(names.map((name) => (hasHeader ? name : '')));
  const rows = hasHeader ? all.slice(1) : all;
  const roles = hasHeader || given ? undefined : rolesOf(columns, texts(rows));
  return {
    columns,
    ...(roles && { roles }),
    describe: () => ({ format: `Excel, sheet '${sheet}'`, header: hasHeader }),
    async *rows(onBadRow) {
      const valid: Row[] = [];
      for (const { cells, line } of rows) {
        if (cells.length > columns.length && cells.slice(columns.length).some((cell) => textOfCell(cell) !== ''))
          onBadRow(
            badRow(line, `has ${cells.length} values instead of ${columns.length}`, cells.map(textOfCell).join(' | ')),
          );
        else valid.push(Object.fromEntries(columns.map((column, c) => [column, cells[c] ?? null])));
      }
      yield* batchesOf(valid);
    },
  };
}
