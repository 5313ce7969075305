/** The labels that files contain, with their counts. */
import { isMissing } from './missing-values.js';
import { labelText } from '../settings/label-mapping.js';
import { checkSingleLabel, classNumber, notANumberError, type Classes } from './labels.js';
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
