/**
 * Opens reviews by name: the embedded ones, a local file or folder, or a data set on the hub. The result is always a
 * `ReviewSource`. Of a data set on the hub only the necessary parts are read.
 */
import fs from 'node:fs';
import path from 'node:path';
import { FileError, ReviewsError } from '../errors.js';
import { openDataset, splitOfPath, type SplitName } from '../hub/dataset.js';
import { fetchFiles, resolveUrl, writeRepositoryRef, type DownloadOptions } from '../hub/download.js';
import { hubOfEnvironment, type Hub } from '../hub/environment.js';
import { snapshotFolder } from '../hub/cache.js';
import { remoteFile } from '../hub/remote-file.js';
import { isRepositoryName } from '../hub/repository.js';
import { embeddedReviews } from './embedded.js';
import { classesOfValues, mappedClasses, namedClasses, noClasses, type Classes } from './labels.js';
import { columnsOf, nothingDropped } from './review.js';
import type { ReviewSource, SourceFile } from './review-source.js';
import { chunksOfFiles, readChunks, type OpenRemote, type RowFile, type RowLocation } from './row-file.js';
import { extensions, formatOf, openRowFile } from './row-formats.js';
import { labelText, readLabelMapping, type LabelMapping } from '../settings/label-mapping.js';

/** Options of `openReviews`. */
export interface ReviewsOptions {
  /** Columns that are joined to form the text. @default `text`, or another usual name */
  textColumns?: string[] | undefined;
  /** Column with the label. @default `label`, or another usual name */
  labelColumn?: string | undefined;
  /** Labels of each class: `1,2 -> negative; 4,5 -> positive`. @default each value is a class */
  labelMapping?: LabelMapping | string | undefined;
  /** Configuration of a data set on the hub. @default its default or only configuration */
  datasetConfig?: string | undefined;
  /** Reads texts only, if `labelColumn` is not set and no column has a usual name for labels. @default false */
  labelsOptional?: boolean;
  /** Downloads files of the hub completely instead of reading ranges: every row is read repeatedly. @default false */
  streaming?: boolean;
}

/** Usual names of the text columns and the label column, in order of precedence. */
const usualTextColumns = [['text'], ['title', 'content'], ['content'], ['sentence'], ['review'], ['review_body']];
const usualLabelColumns = ['label', 'labels', 'stars', 'rating', 'sentiment'];

function chooseColumns(
  name: string,
  columns: string[],
  { textColumns, labelColumn, labelsOptional = false }: ReviewsOptions,
): { textColumns: string[]; labelColumn: string | undefined } {
  const text = textColumns ?? usualTextColumns.find((names) => names.every((column) => columns.includes(column)));
  const label = labelColumn ?? usualLabelColumns.find((column) => columns.includes(column));
  for (const column of [...(textColumns ?? []), ...(labelColumn ? [labelColumn] : [])])
    if (!columns.includes(column))
      throw new ReviewsError('REVIEWS_NO_COLUMN', `${name} has no column '${column}'. It has: ${columns.join(', ')}.`, {
        name,
        column,
        columns,
      });
  if (!text)
    throw new ReviewsError(
      'REVIEWS_NO_TEXT_COLUMN',
      `${name} has no column 'text' and no other usual text column. It has: ${columns.join(', ')}. ` +
        'Set the columns that contain the text (TUNEBOOK_TEXT_COLUMNS=title,content).',
      { name, columns },
    );
  if (!label && !labelsOptional)
    throw new ReviewsError(
      'REVIEWS_NO_LABEL_COLUMN',
      `${name} has no column 'label' and no other usual label column. It has: ${columns.join(', ')}. ` +
        'Set the column that contains the label (TUNEBOOK_LABEL_COLUMN=stars).',
      { name, columns },
    );
  return { textColumns: text, labelColumn: label };
}

/** Maximum number of chunks, evenly spaced, that are read to collect labels if the format does not index values. */
const maxChunksForLabels = 200;

/** Collects the different values of a column, as labels. */
async function valuesOf(files: RowFile[], column: string): Promise<Set<string>> {
  const values = new Set(files.flatMap((file) => file.values?.[column] ?? []));
  const all = chunksOfFiles(files.filter((file) => !file.values));
  const count = Math.min(all.length, maxChunksForLabels);
  const chosen = Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
  for await (const { rows } of readChunks(chosen, [column]))
    for (const row of rows) {
      const label = labelText(row[column]);
      if (label !== '') values.add(label);
    }
  return values;
}

/**
 * Collects the labels of a source as its files contain them, sorted. Large sources are sampled at even intervals.
 * @param source with a label column
 */
export const labelsOf = async ({ splits, reading: { labelColumn } }: ReviewSource): Promise<string[]> =>
  [...(await valuesOf(Object.values(splits).flat(), labelColumn!))].sort();

/** Chooses columns and classes, and creates the source. */
async function createSource(
  name: string,
  splits: ReviewSource['splits'],
  rest: Pick<ReviewSource, 'locations' | 'files'>,
  options: ReviewsOptions,
  declared: Record<string, string[]> = {},
): Promise<ReviewSource> {
  const files = Object.values(splits).flat();
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  if (rows === 0) throw new ReviewsError('REVIEWS_NO_ROWS', `${name} has no rows.`, { name });
  const columns = files.find((file) => file.rows > 0)!.columns;
  const chosen = chooseColumns(name, columns, options);
  const { textColumns } = chosen;
  let { labelColumn } = chosen;
  for (const file of files)
    for (const column of columnsOf({ textColumns, labelColumn }))
      if (file.rows > 0 && !file.columns.includes(column))
        throw new ReviewsError(
          'REVIEWS_NO_COLUMN',
          `${file.name} has no column '${column}', unlike ${files[0]!.name}. It has: ${file.columns.join(', ')}. ` +
            'All files must have the same text and label columns.',
          { name: file.name, column, columns: file.columns },
        );
  const classesOf = async (column: string): Promise<Classes> => {
    if (options.labelMapping) return mappedClasses(readLabelMapping(options.labelMapping));
    const names = files.find((file) => file.classNames[column])?.classNames[column] ?? declared[column];
    return names ? namedClasses(names) : classesOfValues(await valuesOf(files, column), column);
  };
  let classes = noClasses;
  try {
    if (labelColumn !== undefined) classes = await classesOf(labelColumn);
  } catch (error) {
    // Labels are optional, and a column with a usual name may contain something else: only texts are read.
    if (!options.labelsOptional || options.labelColumn || !(error instanceof ReviewsError)) throw error;
    labelColumn = undefined;
  }
  return {
    name,
    splits,
    reading: { textColumns, labelColumn, classes },
    labelNames: classes.names,
    dropped: nothingDropped(),
    ...rest,
  };
}

/** Opens files by split. */
async function openAll(locations: ReviewSource['locations'], open: OpenRemote): Promise<ReviewSource['splits']> {
  const splits: ReviewSource['splits'] = {};
  for (const [split, list] of Object.entries(locations) as [SplitName, RowLocation[]][]) {
    splits[split] = [];
    for (const location of list) splits[split].push(await openRowFile(location, open));
  }
  return splits;
}

const openNoRemote = (): never => {
  throw new TypeError('a local source has no URLs');
};

/** Opens a local file, or a folder; names of files and subfolders determine their splits. */
async function openLocal(name: string, options: ReviewsOptions): Promise<ReviewSource> {
  const folder = fs.statSync(name).isDirectory();
  const paths = (
    folder
      ? fs
          .readdirSync(name, { recursive: true, encoding: 'utf8' })
          .sort()
          .map((file) => path.join(name, file))
      : [name]
  ).filter((file) => !folder || (formatOf(path.extname(file)) && fs.statSync(file).isFile()));
  const known = extensions.join(', ');
  if (paths.length === 0)
    throw new ReviewsError('REVIEWS_NO_FILES', `The folder ${name} contains no ${known} files.`, { folder: name });
  const locations: ReviewSource['locations'] = {};
  for (const file of paths) {
    const extension = path.extname(file).toLowerCase();
    const format = formatOf(extension);
    if (!format)
      throw new ReviewsError(
        'REVIEWS_FORMAT_UNKNOWN',
        `${file} has the unsupported extension '${extension}'. Use a file with one of: ${known}.`,
        { file, extension },
      );
    // A file whose name indicates no split is training data.
    const split = (folder && splitOfPath(path.relative(name, file))) || 'train';
    (locations[split] ??= []).push({ name: file, format, place: { path: file } });
  }
  const files = paths.map((file): SourceFile => ({ file, size: fs.statSync(file).size, from: 'local' }));
  return createSource(name, await openAll(locations, openNoRemote), { locations, files }, options);
}

async function openFromHub(hub: Hub, name: string, options: ReviewsOptions & DownloadOptions): Promise<ReviewSource> {
  const { repository, card, splits: parquet, classNames } = await openDataset(hub, name, options.datasetConfig);
  const snapshot = snapshotFolder(repository.folder, repository.commit);
  const paths = Object.values(parquet).flatMap((list) => list.map(({ path }) => path));
  // Offline, all files must be in the cache; otherwise fetchFiles throws.
  const fetched = options.streaming || repository.cached ? (await fetchFiles(repository, paths, options)).files : [];
  if (options.streaming) [repository, card].forEach(writeRepositoryRef);
  const locations: ReviewSource['locations'] = {};
  const files: SourceFile[] = [];
  for (const [split, list] of Object.entries(parquet) as [SplitName, { path: string; size: number }[]][])
    locations[split] = list.map(({ path: file, size }) => {
      const local = path.join(snapshot, file);
      const isLocal = fs.existsSync(local);
      const from = fetched.find((entry) => entry.file === file)?.from ?? (isLocal ? 'cache' : 'hub, by ranges');
      files.push({ file, size, from });
      return {
        name: `${repository.name}: ${file}`,
        format: 'parquet',
        place: isLocal ? { path: local } : { url: resolveUrl(repository, file), size },
      };
    });
  const open = (url: string, size: number) => remoteFile(hub, url, size);
  return createSource(
    `${repository.id} on the hub`,
    await openAll(locations, open),
    { locations, files },
    options,
    classNames,
  );
}

/** Whether a name means a local file or folder, even one that does not exist, rather than a data set on the hub. */
export const isFileName = (name: string): boolean =>
  fs.existsSync(name) || formatOf(path.extname(name)) !== undefined || !isRepositoryName(name);

/**
 * Opens reviews by name.
 * @param name `embedded`, a .csv, .jsonl, .ndjson or .parquet file, a folder of such files, or a data set on the hub
 * @param options columns, labels and downloads
 * @param hub which hub. @default the one that HF_ENDPOINT and related variables describe
 * @throws FileError, HubError, or ReviewsError for a missing column, a malformed line or a source without rows
 * @example
 * const source = await openReviews('reviews.csv', { textColumns: ['title', 'content'], labelColumn: 'stars' });
 */
export async function openReviews(
  name: string,
  options: ReviewsOptions & DownloadOptions = {},
  hub: Hub = hubOfEnvironment(),
): Promise<ReviewSource> {
  if (name === 'embedded') {
    if (options.streaming)
      throw new ReviewsError(
        'REVIEWS_NOT_STREAMABLE',
        'The embedded reviews cannot be streamed: they fit into memory. Unset TUNEBOOK_STREAMING, or name a data set.',
        { name },
      );
    return embeddedReviews();
  }
  if (fs.existsSync(name)) return openLocal(name, options);
  if (isFileName(name))
    throw new FileError('FILE_NOT_FOUND', `There is no file ${name}. Check the path of the reviews.`, {
      path: name,
    });
  return openFromHub(hub, name, options);
}
