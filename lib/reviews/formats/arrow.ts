/** Arrow: the stream format, in which `datasets` saves to disk, and the file format (Feather). Read batch by batch. */
import { isUtf8 } from 'node:buffer';
import {
  CompressionType,
  compressionRegistry,
  DataType,
  RecordBatchReader,
  type AsyncRecordBatchFileReader,
  type RecordBatchFileReader,
  type RecordBatch,
  type Vector,
} from 'apache-arrow';
import { decompress } from 'fzstd';
import { ByteBuffer } from 'flatbuffers';
import { decompressFrameSync } from 'lz4-napi';
import { ReviewsError } from '../../errors.js';
import type { Row } from '../row-file.js';
import { isPlain, plainValue } from './arrow-values.js';
import type { FileBytes } from './bytes.js';
import { damagedText } from './damage.js';
import { badRow, batchRows, type RowReader } from './row-reader.js';
import { classNamesOfHuggingFace } from './hugging-face.js';

// pyarrow compresses Feather files with LZ4 unless told otherwise.
compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: (bytes) => decompressFrameSync(Buffer.from(bytes)) });
// A copy, since numbers must begin at a multiple of their size.
compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => decompress(bytes).slice() });

// apache-arrow does not verify the lengths of lists in a file's metadata: damaged ones would fill the memory.
// oxlint-disable-next-line typescript/unbound-method -- it is called with its object below
const vectorLength = ByteBuffer.prototype.__vector_len;
ByteBuffer.prototype.__vector_len = function (offset: number): number {
  const length = vectorLength.call(this, offset);
  if (length < 0 || length > this.capacity()) throw new Error('its metadata are damaged');
  return length;
};

/**
 * Opens an Arrow file.
 * @throws ReviewsError if it is damaged
 */
export async function openArrow(bytes: FileBytes): Promise<RowReader> {
  const { name } = bytes;
  const damaged = (error: unknown) =>
    error instanceof ReviewsError
      ? error
      : new ReviewsError('REVIEWS_DAMAGED', `${damagedText(name, 'Arrow file', error)} Download or save it again.`, {
          file: name,
        });
  async function* batches(): AsyncGenerator<RecordBatch> {
    try {
      const reader = await RecordBatchReader.from(bytes.read());
      await reader.open();
      // Iterating over a file does not end if one of its messages is damaged.
      for await (const batch of reader.isFile() ? batchesOfFile(reader) : (reader as AsyncIterable<RecordBatch>)) {
        batch.schema.fields.forEach((field, i) => checkOffsets(batch.getChildAt(i)!, field.name));
        yield batch;
      }
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
    if (columns.some((column) => typeof column !== 'string')) throw new Error('a column has no name');
    classNames = classNamesOfHuggingFace(reader.schema.metadata.get('huggingface'));
    await reader.cancel();
  } catch (error) {
    throw damaged(error);
  }
  return {
    columns,
    classNames,
    describe: () => ({ format: 'Arrow', ...(bytes.compression && { compression: bytes.compression }) }),
    async *rows(onBadRow) {
      let before = 0;
      for await (const batch of batches()) {
        const vectors = columns.map((column) => batch.getChild(column)!);
        const arePlain = vectors.map(({ type }) => isPlain(type as DataType));
        for (let start = 0; start < batch.numRows; start += batchRows) {
          const count = Math.min(batchRows, batch.numRows - start);
          const rows: Row[] = [];
          for (let i = start; i < start + count; i++) {
            const row = Object.fromEntries(
              columns.map((column, c) => [column, arePlain[c] ? vectors[c]!.get(i) : plainValue(vectors[c]!, i)]),
            );
            const damagedAt = columns.findIndex((column, c) => isDamagedText(row[column], vectors[c]!, i));
            if (damagedAt < 0) rows.push(row);
            else
              onBadRow(badRow(before + i + 1, `has bytes that are not valid utf-8`, String(row[columns[damagedAt]!])));
          }
          if (rows.length > 0) yield rows;
        }
        before += batch.numRows;
      }
    },
  };
}

/** Batches of the file format. @throws Error if one is not where the file states */
async function* batchesOfFile(reader: RecordBatchFileReader | AsyncRecordBatchFileReader): AsyncGenerator<RecordBatch> {
  for (let i = 0; i < reader.numRecordBatches; i++) {
    const batch = await reader.readRecordBatch(i);
    if (!batch) throw new Error('a batch is missing');
    yield batch;
  }
}

/** @throws Error if the texts of a column are not where the column states, since its bytes are damaged */
function checkOffsets(vector: Vector, name: string): void {
  for (const data of vector.data) {
    if (!DataType.isUtf8(data.type) && !DataType.isLargeUtf8(data.type)) continue;
    const { length } = data.values as Uint8Array;
    const offsets = data.valueOffsets as Int32Array | BigInt64Array;
    let before = 0;
    for (let i = 0; i <= data.length; i++) {
      const offset = Number(offsets[i]);
      if (!(offset >= before && offset <= length)) throw new Error(`the texts of '${name}' are damaged`);
      before = offset;
    }
  }
}

/** Whether a replacement character in a text stands for invalid bytes. */
function isDamagedText(value: unknown, vector: Vector, index: number): boolean {
  if (typeof value !== 'string' || !value.includes('\ufffd')) return false;
  const data = vector.data[0];
  if (!data || !(DataType.isUtf8(data.type) || DataType.isLargeUtf8(data.type))) return false;
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  const [from, to] = [Number(offsets[index]), Number(offsets[index + 1])];
  return !isUtf8((data.values as Uint8Array).subarray(from, to));
}
