/** Arrow: the stream format, in which `datasets` saves to disk, and the file format (Feather). Read batch by batch. */
import { RecordBatchReader, type RecordBatch } from 'apache-arrow';
import { ReviewsError } from '../../errors.js';
import type { Row } from '../row-file.js';
import type { FileBytes } from './bytes.js';
import type { RowReader } from './row-reader.js';
import { classNamesOfHuggingFace } from './hugging-face.js';

/** Whether a file begins as Arrow does: the file format with its name, the stream format with a continuation mark. */
export const isArrow = (head: Buffer): boolean =>
  head.subarray(0, 6).toString('latin1') === 'ARROW1' || (head.length >= 8 && head.readUInt32LE(0) === 0xffffffff);

/** Rows of a batch. */
const batchRows = 1000;

/**
 * Opens an Arrow file.
 * @throws ReviewsError if it is damaged
 */
export async function openArrow(bytes: FileBytes): Promise<RowReader> {
  const { name } = bytes;
  const damaged = (error: unknown) =>
    error instanceof ReviewsError
      ? error
      : new ReviewsError(
          'REVIEWS_DAMAGED',
          `${name} is not a valid Arrow file (${(error as Error).message}). It may be incomplete: save it again.`,
          { file: name },
        );
  async function* batches(): AsyncGenerator<RecordBatch> {
    try {
      const reader = await RecordBatchReader.from(bytes.read());
      yield* reader as AsyncIterable<RecordBatch>;
    } catch (error) {
      throw damaged(error);
    }
  }
  let columns: string[] = [];
  let classNames: Record<string, string[]> = {};
  try {
    const reader = await RecordBatchReader.from(bytes.read());
    await reader.open();
    columns = reader.schema.fields.map((field) => field.name);
    classNames = classNamesOfHuggingFace(reader.schema.metadata.get('huggingface'));
    await reader.cancel();
  } catch (error) {
    throw damaged(error);
  }
  return {
    columns,
    classNames,
    describe: () => ({ format: 'Arrow', ...(bytes.compression && { compression: bytes.compression }) }),
    async *rows() {
      for await (const batch of batches()) {
        const vectors = columns.map((column) => batch.getChild(column)!);
        for (let start = 0; start < batch.numRows; start += batchRows) {
          const count = Math.min(batchRows, batch.numRows - start);
          yield Array.from({ length: count }, (_, i): Row =>
            Object.fromEntries(columns.map((column, c) => [column, plainValue(vectors[c]!.get(start + i))])),
          );
        }
      }
    },
  };
}

/** Lists are vectors of Arrow, which are no plain arrays. */
const plainValue = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && Symbol.iterator in value && !ArrayBuffer.isView(value)
    ? [...(value as Iterable<unknown>)]
    : value;
