/** Parquet, read by row groups with hyparquet; only the requested columns are read. */
import { open, stat } from 'node:fs/promises';
import {
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type AsyncBuffer,
  type FileMetaData,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { HubError, ReviewsError } from '../errors.js';
import { chunksOf, type FilePlace, type OpenRemote, type Row, type RowFile, type RowFormat } from './row-file.js';

async function localFile(path: string): Promise<AsyncBuffer> {
  const { size } = await stat(path);
  return {
    byteLength: size,
    async slice(start, end = size) {
      const bytes = new Uint8Array(end - start);
      const handle = await open(path);
      try {
        await handle.read(bytes, 0, bytes.length, start);
      } finally {
        await handle.close();
      }
      return bytes.buffer;
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

/** Class names that the `datasets` library writes into a file: {"info": {"features": {"label": {"names": […]}}}}. */
function classNamesOf({ key_value_metadata = [] }: FileMetaData): Record<string, string[]> {
  const text = key_value_metadata.find(({ key }) => key === 'huggingface')?.value;
  try {
    const { info } = JSON.parse(text ?? '{}') as { info?: { features?: Record<string, { names?: string[] }> } };
    return Object.fromEntries(
      Object.entries(info?.features ?? {}).flatMap(([column, { names }]) =>
        Array.isArray(names) ? [[column, names]] : [],
      ),
    );
  } catch {
    return {};
  }
}

/** The error for a file that cannot be parsed; errors of the hub are passed on. */
const malformedError = (name: string, error: unknown) =>
  error instanceof HubError
    ? error
    : new ReviewsError(
        'REVIEWS_MALFORMED',
        `${name} is not a valid Parquet file (${(error as Error).message}). It may be truncated: download it again.`,
        { file: name },
      );

/**
 * Opens a Parquet file.
 * @throws ReviewsError if the file is not Parquet or is truncated
 */
async function openParquet(name: string, place: FilePlace, openRemote: OpenRemote): Promise<Omit<RowFile, 'name'>> {
  const file = 'path' in place ? await localFile(place.path) : openRemote(place.url, place.size);
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(file);
  } catch (error) {
    throw malformedError(name, error);
  }
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
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
    columns,
    rows: start,
    chunks,
    classNames: classNamesOf(metadata),
    async read(chunk, requested) {
      try {
        return (await parquetReadObjects({
          file: cached,
          metadata,
          compressors,
          columns: requested,
          rowStart: chunk.start,
          rowEnd: chunk.start + chunk.rows,
        })) as Row[];
      } catch (error) {
        throw malformedError(name, error);
      }
    },
  };
}

export const parquet: RowFormat = {
  extensions: ['.parquet'],
  open: openParquet,
  reader: async (name, place, _, openRemote) => (await openParquet(name, place, openRemote)).read,
};
