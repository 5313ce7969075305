/** Opens a local file or folder of reviews. Names of files and subfolders determine their splits. */
import fs from 'node:fs';
import path from 'node:path';
import { ReviewsError } from '../errors.js';
import { splitOfPath } from '../hub/dataset.js';
import { createSource, type SourceCandidate } from './create-source.js';
import { findClassFolders, openClassFolder } from './formats/class-folders.js';
import { checkEncoding } from './formats/encoding.js';
import { compressionExtension, dataExtensions, isDataFile, openFile } from './formats/formats.js';
import { openParquet } from './formats/parquet.js';
import type { ReviewsOptions } from './reviews-options.js';
import type { ReviewSource, SkippedFile, SourceFile } from './review-source.js';

const openNoRemote = (): never => {
  throw new TypeError('a local source has no URLs');
};

/** Files in which `datasets` describes what it saved to disk. */
const descriptionFiles = new Set(['dataset_dict.json', 'dataset_info.json', 'dataset_infos.json', 'state.json']);

/** Whether a path is a folder; a link that leads nowhere is none, and its error follows when it is opened. */
const isFolder = (file: string) => fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** The data files that `datasets` lists in a folder's state.json; it leaves caches of map and filter beside them. */
function savedFiles(folder: string): string[] | undefined {
  try {
    const state = JSON.parse(fs.readFileSync(path.join(folder, 'state.json'), 'utf8')) as {
      _data_files?: { filename: string }[];
    };
    const names = state._data_files?.map(({ filename }) => filename) ?? [];
    // A list of other files says nothing about those that are here.
    return names.length > 0 && names.every((each) => fs.existsSync(path.join(folder, each))) ? names : undefined;
  } catch {
    // No folder of save_to_disk.
    return undefined;
  }
}

/** Why files of a folder are not read, although their names are those of data files: their rows are in other files. */
function repeatedFiles(files: string[]): Map<string, string> {
  const reasons = new Map<string, string>();
  const saved = new Map([...new Set(files.map((file) => path.dirname(file)))].map((each) => [each, savedFiles(each)]));
  // The files are sorted: a file comes before its compressed form.
  const contents = new Map<string, string>();
  for (const file of files) {
    const content = file.replace(compressionExtension, '');
    const same = contents.get(content);
    if (same === undefined) contents.set(content, file);
    else reasons.set(file, `it is ${path.basename(same)}, compressed`);
    const listed = saved.get(path.dirname(file));
    if (listed && file.endsWith('.arrow') && !listed.includes(path.basename(file)))
      reasons.set(file, 'state.json does not list it: a cache of datasets');
  }
  return reasons;
}

/** Data files of a folder and its subfolders, sorted. */
const dataFilesIn = (folder: string): string[] =>
  fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => {
      const relative = path.relative(folder, file);
      const isHidden = relative.split(path.sep).some((part) => part.startsWith('.'));
      return !isHidden && isDataFile(file) && !descriptionFiles.has(path.basename(file)) && !isFolder(file);
    })
    .sort();

/**
 * The split of a file: by its name, or else by its folders, as in test/data-00000-of-00001.arrow. A file whose path
 * indicates none is training data.
 */
const splitOfFile = (file: string) => splitOfPath(file) ?? splitOfPath(path.dirname(file)) ?? 'train';

/** Codes of errors that show that a file of a folder contains something else than reviews. */
const unrelated = new Set(['REVIEWS_FORMAT_UNKNOWN', 'REVIEWS_NO_TABLE', 'REVIEWS_ARCHIVE_UNSUPPORTED']);

const sizeOf = (file: string): SourceFile => ({ file, size: fs.statSync(file).size, from: 'local' });

async function openCandidate(
  file: string,
  split: SourceCandidate['split'],
  options: ReviewsOptions,
): Promise<SourceCandidate> {
  const opened = await openFile(file, file, options);
  if ('reader' in opened) return { name: file, split, content: opened };
  const place = opened.parquet;
  const content = { file: await openParquet(file, place, openNoRemote), location: { name: file, parquet: place } };
  return { name: file, split, content };
}

/** Opens a folder with a subfolder of texts for each class. */
function openClassFolders(name: string, options: ReviewsOptions): Promise<ReviewSource> | undefined {
  const found = findClassFolders(name);
  if (found.length === 0) return undefined;
  const candidates = found.map((each): SourceCandidate => ({
    name: each.folder,
    split: splitOfPath(path.relative(name, each.folder)) ?? 'train',
    content: { reader: openClassFolder(each, options) },
  }));
  const read = new Set(found.flatMap(({ folder, classes }) => classes.map((each) => path.join(folder, each))));
  const skipped = dataFilesIn(name)
    .filter((file) => !read.has(path.dirname(file)))
    .map((file) => ({ file, reason: 'the reviews are in the folders of the classes' }))
    .concat(found.flatMap(({ others }) => others.map((file) => ({ file, reason: 'it is no text of a class' }))));
  return createSource(name, candidates, options, { files: [...read].map(sizeOf), skipped });
}

/**
 * Opens a local file or folder.
 * @throws ReviewsError, SettingsError for an unknown encoding
 */
export async function openLocal(name: string, options: ReviewsOptions): Promise<ReviewSource> {
  if (options.encoding !== undefined) checkEncoding(options.encoding);
  const isOneFile = !isFolder(name);
  const classFolders = isOneFile ? undefined : openClassFolders(name, options);
  if (classFolders) return classFolders;
  const all = isOneFile ? [name] : dataFilesIn(name);
  const repeated = repeatedFiles(all);
  const files = all.filter((file) => !repeated.has(file));
  if (files.length === 0)
    throw new ReviewsError(
      'REVIEWS_NO_FILES',
      `The folder ${name} contains no reviews: neither files with one of ${dataExtensions.join(', ')} (also .gz, .bz2, ` +
        '.zst or .zip), nor a subfolder of .txt files for each class.',
      { folder: name },
    );
  const candidates: SourceCandidate[] = [];
  const skipped: SkippedFile[] = [...repeated].map(([file, reason]) => ({ file, reason }));
  let firstError: ReviewsError | undefined;
  for (const file of files)
    try {
      const split = isOneFile ? 'train' : splitOfFile(path.relative(name, file));
      candidates.push(await openCandidate(file, split, options));
    } catch (error) {
      if (!(error instanceof ReviewsError) || !unrelated.has(error.code)) throw error;
      firstError ??= error;
      const isArchive = error.code === 'REVIEWS_ARCHIVE_UNSUPPORTED';
      skipped.push({ file, reason: isArchive ? 'archives like it cannot be read: unpack it' : 'it contains no table' });
    }
  if (candidates.length === 0) throw firstError!;
  return createSource(name, candidates, options, { files: candidates.map((each) => sizeOf(each.name)), skipped });
}
