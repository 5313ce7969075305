/** Reads chunks of files whose chunks are known, also in worker threads. */
import { openParquet } from './formats/parquet.js';
import type { OpenRemote, ReadRows, RowLocation } from './row-file.js';
import { storedRowsReader } from './stored-rows.js';

/** Opens a file for reading its chunks. */
export const chunkReader = async (location: RowLocation, openRemote: OpenRemote): Promise<ReadRows> =>
  'stored' in location
    ? storedRowsReader(location.stored)
    : (await openParquet(location.name, location.parquet, openRemote)).read;
