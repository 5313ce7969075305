/** Opens a local file or folder of reviews. Names of files and subfolders determine their splits. */
import fs from 'node:fs';
import path from 'node:path';
import { ReviewsError } from '../errors.js';
import { splitOfPath } from '../hub/dataset.js';
import { createSource, type SourceCandidate } from './create-source.js';
import { findClassFolders, openClassFolder } from './formats/class-folders.js';
import { checkEncoding } from './formats/encoding.js';
import { dataExtensions, isDataFile, openFile } from './formats/formats.js';
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
    .map((file) => ({ file, reason: 'the reviews are in the folders of the classes' }));
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
  const files = isOneFile ? [name] : dataFilesIn(name);
  if (files.length === 0)
    throw new ReviewsError(
      'REVIEWS_NO_FILES',
      `The folder ${name} contains no reviews: neither files with one of ${dataExtensions.join(', ')} (also .gz, .bz2, ` +
        '.zst or .zip), nor a subfolder of .txt files for each class.',
      { folder: name },
    );
  const candidates: SourceCandidate[] = [];
  const skipped: SkippedFile[] = [];
  let firstError: ReviewsError | undefined;
  for (const file of files)
    try {
      const split = isOneFile ? 'train' : splitOfFile(path.relative(name, file));
      candidates.push(await openCandidate(file, split, options));
    } catch (error) {
      if (!(error instanceof ReviewsError) || !unrelated.has(error.code)) throw error;
      firstError ??= error;
      skipped.push({ file, reason: 'it contains no table' });
    }
  if (candidates.length === 0) throw firstError!;
  return createSource(name, candidates, options, { files: candidates.map((each) => sizeOf(each.name)), skipped });
}
