/**
 * Where reviews come from, as one thing whatever it is: the embedded ones, a file or a folder of this machine, or a data
 * set of the hub, of which only what is needed is read.
 */
import fs from 'node:fs';
import path from 'node:path';
import { FileError, ReviewsError } from '../errors.js';
import { openDataset, splitOfPath, type SplitName } from '../hub/dataset.js';
import { fetchFiles, rememberRepository, resolveUrl, type DownloadOptions } from '../hub/download.js';
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

/** How rows become reviews, where it does not go without saying. */
export interface ReviewsOptions {
  /** Columns that make the text. Default: `text`, or what a data set of reviews calls it. */
  textColumns?: string[] | undefined;
  /** Default: `label`, or what a data set of reviews calls it. */
  labelColumn?: string | undefined;
  /** `1,2 -> negative; 4,5 -> positive`; default: each value is a class. */
  labelMapping?: LabelMapping | string | undefined;
  /** Which configuration of a data set on the hub, where it has several. */
  datasetConfig?: string | undefined;
  /** Labels are not needed: where no column has the usual name of one, and none is named, texts alone are read. @default false */
  labelsOptional?: boolean;
  /** Every row will be read, more than once: files of the hub are fetched whole, not by ranges. @default false */
  streaming?: boolean;
}

/** What text and label are called in data sets of reviews, the first that is there. */
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
      `${name} has no column 'text' and none of the usual others. It has: ${columns.join(', ')}. Name those with the text (TUNEBOOK_TEXT_COLUMNS=title,content).`,
      { name, columns },
    );
  if (!label && !labelsOptional)
    throw new ReviewsError(
      'REVIEWS_NO_LABEL_COLUMN',
      `${name} has no column 'label' and none of the usual others. It has: ${columns.join(', ')}. Name the one with the label (TUNEBOOK_LABEL_COLUMN=stars).`,
      { name, columns },
    );
  return { textColumns: text, labelColumn: label };
}

/** Chunks read for the values of a label column whose file has no index of them; evenly spaced in larger sets. */
const chunksRead = 200;

async function valuesOf(files: RowFile[], column: string): Promise<Set<string>> {
  const values = new Set(files.flatMap((file) => file.values?.[column] ?? []));
  const all = chunksOfFiles(files.filter((file) => !file.values));
  const count = Math.min(all.length, chunksRead);
  const chosen = Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
  for await (const { rows } of readChunks(chosen, [column]))
    for (const row of rows) {
      const label = labelText(row[column]);
      if (label !== '') values.add(label);
    }
  return values;
}

/**
 * The labels of a source, as they stand in its files, sorted; of large sources those of an even choice of rows.
 * @param source with a label column
 */
export const labelsOf = async ({ splits, reading: { labelColumn } }: ReviewSource): Promise<string[]> =>
  [...(await valuesOf(Object.values(splits).flat(), labelColumn!))].sort();

async function complete(
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
          `${file.name} has no column '${column}', unlike ${files[0]!.name}. It has: ${file.columns.join(', ')}.`,
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
    // A column that has the usual name and holds something else is no obstacle to who only reads.
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

const noPlace = (): never => {
  throw new TypeError('a local source has no URLs');
};

/** A file, or a folder whose files' names tell their splits. */
async function openLocal(name: string, options: ReviewsOptions): Promise<ReviewSource> {
  const folder = fs.statSync(name).isDirectory();
  const found = (
    folder
      ? fs
          .readdirSync(name, { recursive: true, encoding: 'utf8' })
          .sort()
          .map((file) => path.join(name, file))
      : [name]
  ).filter((file) => !folder || (formatOf(path.extname(file)) && fs.statSync(file).isFile()));
  const known = extensions.join(', ');
  if (found.length === 0)
    throw new ReviewsError('REVIEWS_NO_FILES', `The folder ${name} holds no ${known} files.`, { folder: name });
  const locations: ReviewSource['locations'] = {};
  for (const file of found) {
    const extension = path.extname(file).toLowerCase();
    const format = formatOf(extension);
    if (!format)
      throw new ReviewsError(
        'REVIEWS_FORMAT_UNKNOWN',
        `${file} ends in '${extension}'; reviews are read from ${known} files.`,
        { file, extension },
      );
    // A file of one's own whose name says nothing is to be learnt from.
    const split = (folder && splitOfPath(path.relative(name, file))) || 'train';
    (locations[split] ??= []).push({ name: file, format, place: { path: file } });
  }
  const files = found.map((file): SourceFile => ({ file, size: fs.statSync(file).size, from: 'local' }));
  return complete(name, await openAll(locations, noPlace), { locations, files }, options);
}

async function openFromHub(hub: Hub, name: string, options: ReviewsOptions & DownloadOptions): Promise<ReviewSource> {
  const { repository, card, splits: parquet, classNames } = await openDataset(hub, name, options.datasetConfig);
  const snapshot = snapshotFolder(repository.folder, repository.commit);
  const paths = Object.values(parquet).flatMap((list) => list.map(({ path }) => path));
  // Without the hub there is the cache, or an error that says so.
  const fetched = options.streaming || repository.cached ? (await fetchFiles(repository, paths, options)).files : [];
  if (options.streaming) [repository, card].forEach(rememberRepository);
  const locations: ReviewSource['locations'] = {};
  const files: SourceFile[] = [];
  for (const [split, list] of Object.entries(parquet) as [SplitName, { path: string; size: number }[]][])
    locations[split] = list.map(({ path: file, size }) => {
      const local = path.join(snapshot, file);
      const here = fs.existsSync(local);
      const from = fetched.find((entry) => entry.file === file)?.from ?? (here ? 'cache' : 'hub, by ranges');
      files.push({ file, size, from });
      return {
        name: `${repository.name}: ${file}`,
        format: 'parquet',
        place: here ? { path: local } : { url: resolveUrl(repository, file), size },
      };
    });
  const open = (url: string, size: number) => remoteFile(hub, url, size);
  return complete(
    `${repository.id} on the hub`,
    await openAll(locations, open),
    { locations, files },
    options,
    classNames,
  );
}

/** Whether a name of reviews means a file or folder on this machine, existing or not, rather than a data set of the hub. */
export const isFileName = (name: string): boolean =>
  fs.existsSync(name) || formatOf(path.extname(name)) !== undefined || !isRepositoryName(name);

/**
 * Opens reviews by name: `embedded`, a .csv, .jsonl, .ndjson or .parquet file, a folder of such files, or a data set of
 * the hub.
 * @throws FileError; ReviewsError for a missing column (naming those that exist), a broken line (by number), or no rows; HubError
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
        'The embedded reviews are few and fit into memory: leave TUNEBOOK_STREAMING out, or name a data set.',
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
