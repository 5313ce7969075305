/** Columns of 0 and 1, which `--label-column` can name together for multi-label classification: proposed if no label column has a usual name. */
import { ReviewsError } from '../errors.js';
import { settingText } from '../settings/setting-text.js';
import { listColumns } from './columns.js';
import type { RowReader } from './formats/row-reader.js';
import { isFlag } from './label-lists.js';
import type { Row, RowFile } from './row-file.js';

/** The content of a file before its columns are chosen. */
type Content = { file: RowFile } | { reader: RowReader };

/** The first rows of a file. */
async function firstRows(content: Content): Promise<Row[]> {
  if ('file' in content) {
    const [chunk] = content.file.chunks;
    return chunk ? content.file.read(chunk, content.file.columns) : [];
  }
  for await (const rows of content.reader.rows(() => {})) return rows;
  return [];
}

/**
 * Adds to the error of a missing label column which columns contain only 0 and 1 in the first rows.
 * @returns the same error if there are fewer than two
 */
export async function withFlagColumns(error: ReviewsError, content: Content): Promise<ReviewsError> {
  if (error.code !== 'REVIEWS_NO_LABEL_COLUMN') return error;
  const { columns } = 'file' in content ? content.file : content.reader;
  const rows = await firstRows(content);
  const flags = columns.filter((column) => !column.includes(',') && rows.every((row) => isFlag(row[column])));
  if (flags.length < 2) return error;
  const proposal = `The columns ${listColumns(flags)} contain only 0 and 1: with ${settingText('labelColumn', flags.join(','))} each is a class.`;
  return new ReviewsError(error.code, `${error.message} ${proposal}`, { ...error.values, flagColumns: flags });
}
