/** The file formats of reviews. To add one, write its file and list it here. */
import { csv } from './csv.js';
import { jsonLines } from './json-lines.js';
import { parquet } from './parquet.js';
import type { OpenRemote, ReadRows, RowFile, RowFormat, RowLocation } from './row-file.js';

const formats: Record<string, RowFormat> = { csv, jsonLines, parquet };

const byExtension = new Map(
  Object.entries(formats).flatMap(([name, { extensions }]) => extensions.map((extension) => [extension, name])),
);

/** All file name extensions that can be read, in lower case, with the dot. */
export const extensions = [...byExtension.keys()];

/** The name of the format with a file name extension; undefined if there is none. */
export const formatOf = (extension: string): string | undefined => byExtension.get(extension.toLowerCase());

/**
 * Opens a file of rows.
 * @throws ReviewsError if the file is malformed, HubError
 */
export const openRowFile = async ({ name, format, place }: RowLocation, openRemote: OpenRemote): Promise<RowFile> => ({
  name,
  ...(await formats[format]!.open(name, place, openRemote)),
});

/** Reads rows of a file whose index is known, with these columns. */
export const rowReader = (
  { name, format, place }: RowLocation,
  columns: string[],
  openRemote: OpenRemote,
): Promise<ReadRows> => formats[format]!.reader(name, place, columns, openRemote);
