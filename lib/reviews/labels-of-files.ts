/** The labels that files contain, with their counts. */
import { ReviewsError } from '../errors.js';
import { settingText } from '../settings/setting-text.js';
import { isMissing } from './missing-values.js';
import { labelKey, labelText } from '../settings/label-mapping.js';
import { labelsError, labelTexts, readLabels, separatorOf, type LabelReading } from './label-lists.js';
import {
  checkSingleLabel,
  classNumber,
  groupSpellings,
  namedClasses,
  noClasses,
  notANumberError,
  spellingNotes,
  type Classes,
} from './labels.js';
import { chunksOfFiles, readChunks, type FileChunk, type RowFile } from './row-file.js';

/** Maximum number of chunks, evenly spaced, that are read of Parquet files, whose labels are not counted otherwise. */
const maxChunks = 200;

/** At most 200 chunks of files, evenly spaced. */
function evenlySpaced(files: RowFile[]): FileChunk[] {
  const all = chunksOfFiles(files);
  const count = Math.min(all.length, maxChunks);
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
}

/**
 * Checks that all labels of a column are numbers or missing. Of Parquet files with more than 200 chunks, evenly spaced ones are read;
 * their other rows are checked when they are used.
 * @param classes of `numericLabels`
 * @param missingSpellings whether `N/A` and the like are no labels
 * @throws ReviewsError for the first label that is no number, or for several labels in a row
 */
export async function checkNumbers(
  files: RowFile[],
  column: string,
  classes: Classes,
  missingSpellings: boolean,
): Promise<void> {
  const chunks = [
    ...chunksOfFiles(files.filter(({ labels }) => labels)),
    ...evenlySpaced(files.filter(({ labels }) => !labels)),
  ];
  for await (const { file, start, rows } of readChunks(chunks, [column]))
    for (const [i, row] of rows.entries()) {
      const value = row[column];
      const label = labelText(value);
      const isMissingLabel = label === classes.hiddenLabel || (missingSpellings && isMissing(label));
      if (label === '') checkSingleLabel(file.name, column, value);
      else if (classNumber(classes, value) === undefined && !isMissingLabel)
        throw notANumberError(file.name, column, start + i + 1, value);
    }
}

/**
 * Counts the labels of a column. Of Parquet files with more than 200 chunks, evenly spaced ones are read.
 * @param column label column
 * @throws ReviewsError if a row has several labels
 */
export async function labelsOfFiles(files: RowFile[], column: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const add = (label: string, count: number) => counts.set(label, (counts.get(label) ?? 0) + count);
  for (const { labels } of files) for (const [label, count] of labels ?? []) add(label, count);
  const chosen = evenlySpaced(files.filter(({ labels }) => !labels));
  for await (const { file, rows } of readChunks(chosen, [column]))
    for (const row of rows) {
      const label = labelText(row[column]);
      if (label === '') checkSingleLabel(file.name, column, row[column]);
      else add(label, 1);
    }
  return counts;
}

/** Maximum number of different values from which the separator of labels is determined; all others are checked when they are read. */
const maxValues = 10_000;

/** The character that separates the labels of a column; undefined if none does without doubt. */
async function separatorOfChunks(
  chunks: FileChunk[],
  { labelColumn, missingSpellings }: Omit<LabelReading, 'classes'>,
): Promise<string | undefined> {
  const values = new Set<unknown>();
  for await (const { rows } of readChunks(chunks, [labelColumn])) {
    for (const row of rows) values.add(row[labelColumn]);
    if (values.size > maxValues) break;
  }
  return separatorOf([...values], missingSpellings);
}

/** Class names of lists without declared ones: each element is a class. */
function classesOfElements(counts: Map<string, number>, column: string): { classes: Classes; notes: string[] } {
  const spellings = groupSpellings(counts, column);
  const names = [...spellings.keys()];
  return {
    classes: { names, numberOf: Object.fromEntries(names.map((name, i) => [labelKey(name), i])), partial: false },
    notes: spellingNotes(spellings),
  };
}

/** Classes, notes on them, the character between the labels of a row, if any, and the rows of each class, if all rows were counted. */
export interface ClassesOfLists {
  classes: Classes;
  notes: string[];
  labelSeparator?: string;
  classCounts?: number[];
}

/**
 * The classes of multi-label classification: the declared ones, the columns of 0 and 1, or each element of a list. Checks the labels of
 * all rows; of Parquet files with more than 200 chunks, those of evenly spaced ones.
 * @param names class names that the data set declares. @default none
 * @throws ReviewsError for a value that is no list, in a column without a clear separator, or neither 0 nor 1, an unknown class, or fewer than two classes
 */
export async function classesOfLists(
  files: RowFile[],
  reading: Omit<LabelReading, 'classes'>,
  names?: string[],
): Promise<ClassesOfLists> {
  const { labelColumn, labelColumns, labelSeparator } = reading;
  const columns = labelColumns ?? [labelColumn];
  // Rows that are stored in a temporary file are read fast.
  const isStored = (file: RowFile) => 'place' in file;
  const chunks = [...chunksOfFiles(files.filter(isStored)), ...evenlySpaced(files.filter((file) => !isStored(file)))];
  const known = names && !labelColumns ? namedClasses(names) : undefined;
  const counts = new Map<string, number>((labelColumns ?? []).map((column) => [column, 0]));
  for await (const { file, start, rows } of readChunks(chunks, columns))
    for (const [i, row] of rows.entries()) {
      const labels = known ? readLabels(row, { ...reading, classes: known }) : labelTexts(row, reading);
      if (labels === undefined) continue;
      if (!Array.isArray(labels)) {
        const labelSeparator = labels.reason === 'list' ? await separatorOfChunks(chunks, reading) : undefined;
        if (labelSeparator !== undefined) return classesOfLists(files, { ...reading, labelSeparator }, names);
        throw labelsError(labels, known ?? noClasses, file.name, start + i + 1);
      }
      const present = labels.map((label) => (typeof label === 'number' ? known!.names[label]! : label));
      for (const name of new Set(present)) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  const { classes, notes } = known
    ? { classes: known, notes: [] }
    : labelColumns
      ? { classes: { ...noClasses, names: labelColumns }, notes: [] }
      : classesOfElements(counts, labelColumn);
  if (classes.names.length < 2)
    throw new ReviewsError(
      'REVIEWS_ONE_CLASS',
      `'${labelColumn}' of ${files[0]!.name} has ${classes.names.length === 0 ? 'no class' : `one class, ${classes.names[0]}`}; multi-label classification needs two. ` +
        `Name a column of lists, or several columns of 0 and 1 (${settingText('labelColumn', 'toxic,obscene')}); for one column of 0 and 1 use ` +
        `${settingText('problemType', 'single_label_classification')}.`,
      { column: labelColumn, labels: classes.names },
    );
  const classCounts = classes.names.map(() => 0);
  for (const [label, count] of counts) {
    const number = classes.names.indexOf(label);
    classCounts[number >= 0 ? number : classNumber(classes, label)!]! += count;
  }
  return {
    classes: { ...classes, problemType: 'multi_label_classification' },
    ...(labelSeparator !== undefined && { labelSeparator }),
    notes:
      labelSeparator === undefined
        ? notes
        : [...notes, `Each value of '${labelColumn}' is a list of classes that are separated by ${labelSeparator}.`],
    ...(files.every(isStored) && { classCounts }),
  };
}
