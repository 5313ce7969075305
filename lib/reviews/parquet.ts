/** Parquet by row groups (hyparquet), the columns that are asked for and no others. */
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

/** Keeps the last ranges that were read: a large row group is read in several chunks, each of which needs all its bytes. */
function keepingLast(file: AsyncBuffer, count: number): AsyncBuffer {
  const kept = new Map<string, Promise<ArrayBuffer>>();
  return {
    byteLength: file.byteLength,
    slice(start, end) {
      const key = `${start}-${end}`;
      const bytes = kept.get(key) ?? Promise.resolve(file.slice(start, end));
      kept.delete(key);
      kept.set(key, bytes);
      bytes.catch(() => kept.delete(key));
      for (const oldest of kept.keys()) {
        if (kept.size <= count) break;
        kept.delete(oldest);
      }
      return bytes;
    },
  };
}

/** Class names that the `datasets` library writes into the file: {"info": {"features": {"label": {"names": […]}}}}. */
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

const broken = (name: string, error: unknown) =>
  error instanceof HubError
    ? error
    : new ReviewsError(
        'REVIEWS_MALFORMED',
        `${name} is not a whole Parquet file (${(error as Error).message}). Download it again.`,
        { file: name },
      );

/** @throws ReviewsError if the file is not Parquet or is truncated */
async function openParquet(name: string, place: FilePlace, openRemote: OpenRemote): Promise<Omit<RowFile, 'name'>> {
  const file = 'path' in place ? await localFile(place.path) : openRemote(place.url, place.size);
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(file);
  } catch (error) {
    throw broken(name, error);
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
  // The text columns and the label.
  const buffer = chunks.length > groups.length ? keepingLast(file, 4) : file;
  return {
    columns,
    rows: start,
    chunks,
    classNames: classNamesOf(metadata),
    async read(chunk, wanted) {
      try {
        return (await parquetReadObjects({
          file: buffer,
          metadata,
          compressors,
          columns: wanted,
          rowStart: chunk.start,
          rowEnd: chunk.start + chunk.rows,
        })) as Row[];
      } catch (error) {
        throw broken(name, error);
      }
    },
  };
}

export const parquet: RowFormat = {
  extensions: ['.parquet'],
  open: openParquet,
  reader: async (name, place, _, openRemote) => (await openParquet(name, place, openRemote)).read,
};
