/** The labels that files contain, with their counts. */
import { labelText } from '../settings/label-mapping.js';
import { checkSingleLabel } from './labels.js';
import { chunksOfFiles, readChunks, type RowFile } from './row-file.js';

/** Maximum number of chunks, evenly spaced, that are read of Parquet files, whose labels are not counted otherwise. */
const maxChunks = 200;

/**
 * Counts the labels of a column. Of Parquet files with more than 200 chunks, evenly spaced ones are read.
 * @param column label column
 * @throws ReviewsError if a row has several labels
 */
export async function labelsOfFiles(files: RowFile[], column: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const add = (label: string, count: number) => counts.set(label, (counts.get(label) ?? 0) + count);
  for (const { labels } of files) for (const [label, count] of labels ?? []) add(label, count);
  const all = chunksOfFiles(files.filter(({ labels }) => !labels));
  const count = Math.min(all.length, maxChunks);
  const chosen = Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
  for await (const { file, rows } of readChunks(chosen, [column]))
    for (const row of rows) {
      const label = labelText(row[column]);
      if (label === '') checkSingleLabel(file.name, column, row[column]);
      else add(label, 1);
    }
  return counts;
}
