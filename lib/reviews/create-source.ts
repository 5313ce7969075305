/** From opened files to a source of reviews: chooses columns and classes, and stores the rows. */
import { ReviewsError } from '../errors.js';
import type { SplitName } from '../hub/dataset.js';
import { readLabelMapping } from '../settings/label-mapping.js';
import { areNumbered, chooseColumns, findColumn, listColumns, namedColumns, type ChosenColumns } from './columns.js';
import type { RowReader } from './formats/row-reader.js';
import {
  classesOfValues,
  classNumber,
  compareMapping,
  mappedClasses,
  namedClasses,
  noClasses,
  numericLabels,
  type Classes,
} from './labels.js';
import { withFlagColumns } from './flag-columns.js';
import { checkNumbers, classesOfLists, labelsOfFiles, type ClassesOfLists } from './labels-of-files.js';
import type { ReviewsOptions } from './reviews-options.js';
import { columnsOf, nothingDropped, type NamedFormat, type Reading } from './review.js';
import type { ReviewSource, SkippedFile } from './review-source.js';
import type { BadRow, RowFile, RowLocation } from './row-file.js';
import { storeRows } from './stored-rows.js';

/** A file before its columns are chosen: Parquet, or rows that are read from start to end. */
export interface SourceCandidate {
  name: string;
  split: SplitName;
  /** `location` is undefined for rows in memory. */
  content: { file: RowFile; location?: RowLocation } | { reader: RowReader };
}

type Loaded = { split: SplitName; file: RowFile; location?: RowLocation };

const columnsOfCandidate = ({ content }: SourceCandidate): string[] =>
  'file' in content ? content.file.columns : content.reader.columns;

/** Columns that only some rows of a JSON file have are unknown until all rows are read. */
async function completeColumns({ content }: SourceCandidate, wanted: string[]): Promise<void> {
  if (!('reader' in content) || !content.reader.hasMoreColumns) return;
  const { reader } = content;
  if (wanted.every((column) => findColumn(reader.columns, column) !== undefined)) return;
  const columns = new Set(reader.columns);
  for await (const rows of reader.rows(() => {}))
    for (const row of rows) for (const name of Object.keys(row)) columns.add(name);
  reader.columns = [...columns];
}

/** The columns of a file, or the error that says why they cannot be chosen. */
function columnsOrError(candidate: SourceCandidate, options: ReviewsOptions): ChosenColumns | ReviewsError {
  const columns = columnsOfCandidate(candidate);
  if (columns.length === 0)
    return new ReviewsError('REVIEWS_NO_ROWS', `${candidate.name} has no rows.`, { name: candidate.name });
  try {
    return chooseColumns(
      candidate.name,
      columns,
      options,
      'reader' in candidate.content ? candidate.content.reader.roles : undefined,
    );
  } catch (error) {
    if (error instanceof ReviewsError) return error;
    throw error;
  }
}

/**
 * Chooses the columns of all files by those of the first training file; files without them are left out.
 * @throws ReviewsError if no file has a text, and a label where one is needed
 */
async function chooseFiles(
  candidates: SourceCandidate[],
  options: ReviewsOptions,
): Promise<{ chosen: ChosenColumns; kept: SourceCandidate[]; skipped: SkippedFile[] }> {
  const found = candidates.map((candidate) => ({ candidate, columns: columnsOrError(candidate, options) }));
  const usable = found.filter(({ columns }) => !(columns instanceof Error));
  const training = usable.filter(({ candidate }) => candidate.split === 'train');
  // A file with column names, rather than a README.txt of lines.
  const hasNames = ({ candidate }: (typeof usable)[0]) => !areNumbered(columnsOfCandidate(candidate));
  const first = training.find(hasNames) ?? training[0] ?? usable[0];
  if (!first) {
    const failed =
      found.find(({ candidate }) => candidate.split === 'train' && !areNumbered(columnsOfCandidate(candidate))) ??
      found[0]!;
    const error = failed.columns as ReviewsError;
    const isMultiLabel = options.problemType === 'multi_label_classification';
    throw isMultiLabel ? await withFlagColumns(error, failed.candidate.content) : error;
  }
  const reference = first.columns as ChosenColumns;
  const lackedBy = (candidate: SourceCandidate, wanted: string[]) =>
    wanted.filter((column) => findColumn(columnsOfCandidate(candidate), column) === undefined);
  // Texts are sufficient where labels are optional: a label that some files lack is not needed.
  const isPartial = usable.some(
    ({ candidate }) =>
      lackedBy(candidate, columnsOf({ ...reference, labelColumn: undefined, labelColumns: undefined })).length === 0 &&
      lackedBy(candidate, columnsOf(reference)).length > 0,
  );
  const chosen = {
    ...reference,
    ...(options.labelsOptional && isPartial && !options.labelColumn && { labelColumn: undefined }),
  };
  const kept: SourceCandidate[] = [];
  const skipped: SkippedFile[] = [];
  for (const { candidate } of found) {
    const missing = lackedBy(candidate, columnsOf(chosen));
    if (missing.length === 0) kept.push(candidate);
    else
      skipped.push({
        file: candidate.name,
        reason: columnsOfCandidate(candidate).length === 0 ? 'it is empty' : `it has no column ${listColumns(missing)}`,
      });
  }
  return { chosen, kept, skipped };
}

/** Reads the rows of a file, unless it is read at random. */
async function load(candidate: SourceCandidate, reading: ChosenColumns, options: ReviewsOptions): Promise<Loaded> {
  const { name, split, content } = candidate;
  if ('file' in content) return { split, ...content };
  // Names may differ in case between files.
  const wanted = columnsOf(reading);
  const own = wanted.map((column) => findColumn(content.reader.columns, column)!);
  const reader: RowReader = own.every((column, i) => column === wanted[i])
    ? content.reader
    : renameColumns(content.reader, new Map(own.map((column, i) => [column, wanted[i]!])));
  const file = await storeRows(name, reader, options.allColumns ? undefined : wanted, {
    textColumns: columnsOf({ ...reading, labelColumn: undefined, labelColumns: undefined }),
    // Where labels are optional, their errors are too. Lists of labels are counted by their elements, see classesOfLists.
    labelColumn:
      options.labelsOptional || options.problemType === 'multi_label_classification' ? undefined : reading.labelColumn,
    skipBadRows: options.skipBadRows,
  });
  return { split, file, location: { name, stored: file.place } };
}

/** A reader whose columns have other names. */
const renameColumns = (reader: RowReader, names: Map<string, string>): RowReader => ({
  ...reader,
  columns: reader.columns.map((column) => names.get(column) ?? column),
  async *rows(onBadRow) {
    for await (const rows of reader.rows(onBadRow))
      yield rows.map((row) =>
        Object.fromEntries(Object.entries(row).map(([column, value]) => [names.get(column) ?? column, value])),
      );
  },
});

/** Whether files have no form of their own for missing values: delimited text and Excel, as in pandas. */
const hasMissingSpellings = (files: RowFile[]) =>
  files.every(({ description: { format } }) => /^(?:delimited text|Excel)/.test(format));

async function chooseClasses(
  files: RowFile[],
  { labelColumn: column, labelColumns }: { labelColumn: string; labelColumns?: string[] },
  options: ReviewsOptions,
  declared: Record<string, string[]>,
): Promise<ClassesOfLists> {
  const names = files.find((file) => file.classNames[column])?.classNames[column] ?? declared[column];
  if (options.problemType === 'regression') {
    const classes = { ...numericLabels(column), ...(names && { hiddenLabel: '-1' }) };
    await checkNumbers(files, column, classes, hasMissingSpellings(files));
    return {
      classes,
      notes: names ? [`The classes ${names.join(', ')} of '${column}' are read as their numbers, from 0.`] : [],
    };
  }
  if (options.problemType === 'multi_label_classification') {
    const reading = { labelColumn: column, labelColumns, missingSpellings: hasMissingSpellings(files) };
    return classesOfLists(files, reading, names);
  }
  if (options.labelMapping) {
    const mapping = readLabelMapping(options.labelMapping);
    const classes = mappedClasses(mapping, names);
    // Parquet files are not counted, and a class may occur in rows that are not read here.
    const isCounted = !names && files.every(({ labels }) => labels);
    return {
      classes,
      notes: isCounted ? compareMapping(mapping, await labelsOfFiles(files, column), column, options) : [],
    };
  }
  if (names) return { classes: namedClasses(names), notes: [] };
  return classesOfValues(await labelsOfFiles(files, column), column, files[0]!.name, hasMissingSpellings(files));
}

/** The settings of delimited text and Excel that were named; undefined if there are none, or no such file. */
function namedFormat(files: RowFile[], { delimiter, header, columns }: ReviewsOptions): NamedFormat | undefined {
  const named = {
    ...(delimiter !== undefined && { delimiter }),
    ...(typeof header === 'boolean' && { header }),
    ...(columns && { columns }),
  };
  const apply = files.some(({ description }) => description.header !== undefined);
  return apply && Object.keys(named).length > 0 ? named : undefined;
}

/** Number of rows by class, if the labels of all files have been counted. */
function countClasses(files: RowFile[], classes: Classes): number[] | undefined {
  if (classes.problemType === 'regression' || !files.every(({ labels }) => labels)) return undefined;
  const counts = classes.names.map(() => 0);
  for (const { labels } of files)
    for (const [label, count] of labels!) {
      const number = classNumber(classes, label);
      if (number !== undefined) counts[number]! += count;
    }
  return counts;
}

/** Maximum number of bad rows that a note lists. */
const maxListed = 3;

const describeBadRow = (file: string, { line, reason }: BadRow) => `${file}, line ${line}, ${reason}`;

/** A note on the malformed rows that were left out. */
function describeBadRows(files: RowFile[]): string[] {
  const all = files.flatMap(({ name, badRows }) => (badRows?.first ?? []).map((row) => describeBadRow(name, row)));
  return all.length === 0 ? [] : [`Malformed rows, such as: ${all.slice(0, maxListed).join('; ')}.`];
}

/** A note on characters that are replaced, since UTF-8 cannot contain them. */
function describeHalfCharacters(files: RowFile[]): string[] {
  const count = files.reduce((sum, { halfCharacters = 0 }) => sum + halfCharacters, 0);
  if (count === 0) return [];
  const texts = count === 1 ? '1 text contains' : `${count.toLocaleString('en')} texts contain`;
  return [`${texts} half of a character such as an emoji (a lone surrogate), which is replaced by U+FFFD.`];
}

/**
 * Creates a source.
 * @param name for messages
 * @param declared class names by column, from the card of a data set
 * @throws ReviewsError if columns or classes cannot be chosen, a row is malformed, or there are no rows
 */
export async function createSource(
  name: string,
  candidates: SourceCandidate[],
  options: ReviewsOptions,
  rest: Pick<ReviewSource, 'files'> & { skipped?: SkippedFile[] },
  declared: Record<string, string[]> = {},
): Promise<ReviewSource> {
  const wanted = namedColumns(options);
  for (const candidate of candidates) await completeColumns(candidate, wanted);
  const { chosen, kept, skipped } = await chooseFiles(candidates, options);
  const loaded: Loaded[] = [];
  for (const candidate of kept) loaded.push(await load(candidate, chosen, options));
  const files = loaded.map(({ file }) => file);
  if (files.every(({ rows }) => rows === 0))
    throw new ReviewsError('REVIEWS_NO_ROWS', `${name} has no rows.`, { name });
  let { labelColumn } = chosen;
  let found: ClassesOfLists = { classes: noClasses, notes: [] };
  try {
    if (labelColumn !== undefined) found = await chooseClasses(files, { ...chosen, labelColumn }, options, declared);
    // The classes of the file are not used, so that notes on them, such as how to name 0 and 1, do not apply.
    if (options.labelsOptional) found.notes = [];
  } catch (error) {
    // Labels are optional, and a column with a usual name may contain something else: only texts are read.
    if (!options.labelsOptional || options.labelColumn || !(error instanceof ReviewsError)) throw error;
    labelColumn = undefined;
  }
  const { classes } = found;
  const format = namedFormat(files, options);
  const reading: Reading = {
    textColumns: chosen.textColumns,
    ...(chosen.textPairColumn !== undefined && { textPairColumn: chosen.textPairColumn }),
    labelColumn,
    ...(labelColumn !== undefined && chosen.labelColumns && { labelColumns: chosen.labelColumns }),
    ...(found.labelSeparator !== undefined && { labelSeparator: found.labelSeparator }),
    classes,
    ...(format && { format }),
    ...(hasMissingSpellings(files) && { missingSpellings: true }),
  };
  const splits: ReviewSource['splits'] = {};
  const locations: ReviewSource['locations'] = {};
  for (const { split, file, location } of loaded) {
    (splits[split] ??= []).push(file);
    if (location) (locations[split] ??= []).push(location);
  }
  const classCounts = found.classCounts ?? (labelColumn === undefined ? undefined : countClasses(files, classes));
  return {
    name,
    splits,
    locations,
    reading,
    labelNames: classes.names,
    dropped: { ...nothingDropped(), malformed: files.reduce((sum, { badRows }) => sum + (badRows?.count ?? 0), 0) },
    files: rest.files,
    skipped: [...(rest.skipped ?? []), ...skipped],
    ...(classCounts && { classCounts }),
    notes: [...found.notes, ...describeBadRows(files), ...describeHalfCharacters(files)],
  };
}
