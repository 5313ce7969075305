/** Parquet, read by row groups with hyparquet; only the requested columns are read. */
import { isUtf8 } from 'node:buffer';
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import {
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type AsyncBuffer,
  type FileMetaData,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { HubError, ReviewsError } from '../../errors.js';
import { chunksOf, type OpenRemote, type ParquetPlace, type Row, type RowFile } from '../row-file.js';
import { damagedText } from './damage.js';
import { classNamesOfHuggingFace } from './hugging-face.js';
import { isoDay, isoTime } from './iso-time.js';
import { readAt } from './temporary-file.js';

function openPlace(place: ParquetPlace, openRemote: OpenRemote): AsyncBuffer {
  if ('url' in place) return openRemote(place.url, place.size);
  // A folder may have more files than a process may have open.
  const read = async (start: number, end: number): Promise<Buffer> => {
    if ('fd' in place) return readAt(place.fd, start, end - start);
    const handle = await open(place.path);
    try {
      return await readAt(handle.fd, start, end - start);
    } finally {
      await handle.close();
    }
  };
  const size = 'fd' in place ? place.size : statSync(place.path).size;
  return {
    byteLength: size,
    slice(start, end = size) {
      const bytes = read(start, end).then(
        (part) => part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength) as ArrayBuffer,
      );
      // hyparquet does not wait for ranges that it reads ahead when another one fails.
      bytes.catch(() => {});
      return bytes;
    },
  };
}

/** Caches the last `count` ranges: a large row group is read in several chunks, each of which needs all its bytes. */
function cacheRanges(file: AsyncBuffer, count: number): AsyncBuffer {
  const cache = new Map<string, Promise<ArrayBuffer>>();
  return {
    byteLength: file.byteLength,
    slice(start, end) {
      const key = `${start}-${end}`;
      const bytes = cache.get(key) ?? Promise.resolve(file.slice(start, end));
      cache.delete(key);
      cache.set(key, bytes);
      bytes.catch(() => cache.delete(key));
      for (const oldest of cache.keys()) {
        if (cache.size <= count) break;
        cache.delete(oldest);
      }
      return bytes;
    },
  };
}

const decoder = new TextDecoder();

/** Decodes UTF-8. @throws Error for invalid bytes, which hyparquet replaces */
function stringFromBytes(bytes: Uint8Array | undefined): string | undefined {
  const text = bytes && decoder.decode(bytes);
  if (text?.includes('\ufffd') && !isUtf8(bytes!)) throw new Error('a text has bytes that are not valid utf-8');
  return text;
}

/** What hyparquet would change: invalid text, and times, of which it keeps milliseconds only. */
const parsers = {
  stringFromBytes,
  timestampFromMilliseconds: (count: bigint) => isoTime(count, 3),
  timestampFromMicroseconds: (count: bigint) => isoTime(count, 6),
  timestampFromNanoseconds: (count: bigint) => isoTime(count, 9),
  dateFromDays: isoDay,
};

/** The error for a file that cannot be parsed; errors of the hub are passed on. */
const malformedError = (name: string, error: unknown) =>
  error instanceof HubError
    ? error
    : new ReviewsError('REVIEWS_MALFORMED', `${damagedText(name, 'Parquet file', error)} Download or save it again.`, {
        file: name,
      });

/**
 * Opens a Parquet file.
 * @throws ReviewsError if the file is not Parquet or is truncated
 */
export async function openParquet(name: string, place: ParquetPlace, openRemote: OpenRemote): Promise<RowFile> {
  const file = openPlace(place, openRemote);
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(file);
  } catch (error) {
    throw malformedError(name, error);
  }
  const elements = parquetSchema(metadata).children.map(({ element }) => element);
  const columns = elements.map(({ name }) => name);
  const decimals = elements.filter((element) => element.converted_type === 'DECIMAL');
  if (columns.some((column) => typeof column !== 'string'))
    throw malformedError(name, new Error('a column has no name'));
  const groups = metadata.row_groups.map(({ num_rows, columns, total_byte_size }) => ({
    rows: Number(num_rows),
    bytes:
      columns.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size ?? 0), 0) ||
      Number(total_byte_size),
  }));
  let start = 0;
  const chunks = groups.flatMap(({ rows, bytes }, group) => {
    start += rows;
    return chunksOf(start - rows, rows, bytes, group);
  });
  // Four ranges: the text columns and the label.
  const cached = chunks.length > groups.length ? cacheRanges(file, 4) : file;
  return {
    name,
    columns,
    rows: start,
    chunks,
    classNames: classNamesOfHuggingFace(metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value),
    description: { format: 'Parquet' },
    async read(chunk, requested) {
      try {
        const rows = (await parquetReadObjects({
          file: cached,
          metadata,
          compressors,
          parsers,
          columns: requested,
          rowStart: chunk.start,
          rowEnd: chunk.start + chunk.rows,
        })) as Row[];
        // hyparquet multiplies by 0.01: 0.35 becomes 0.35000000000000003.
        for (const { name: column, scale = 0 } of decimals)
          for (const row of rows) if (typeof row[column] === 'number') row[column] = Number(row[column].toFixed(scale));
        return rows;
      } catch (error) {
        throw malformedError(name, error);
      }
    },
  };
}
