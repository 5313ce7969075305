/**
 * Scores a file of reviews of any size. Rows are read in chunks and written as they are scored, with all their columns
 * and the prediction. The output is renamed to its final name once it is complete.
 */
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import { ReviewsError, SettingsError } from '../errors.js';
import { textOf } from '../reviews/review.js';
import { chunksOfFiles, readChunks, type Row } from '../reviews/row-file.js';
import type { ReviewSource } from '../reviews/review-source.js';
import type { SentimentModel } from './sentiment.js';

/** Progress of scoring a file. */
export interface ScoreProgress {
  rows: number;
  /** Number of rows in all files. */
  totalRows: number;
  rowsPerSecond: number;
  secondsLeft: number;
}

/** Names of the columns with the prediction. */
const predictionColumns = ['predicted_label', 'predicted_score'] as const;

/** Converts integers beyond 2^53, which Parquet may contain and JSON cannot represent, to strings. */
const bigIntToString = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

/**
 * Scores the rows of a source and writes them to a file.
 * @param source of openReviews; labels are ignored. Rows without text get no prediction
 * @param out .csv, or .jsonl or .ndjson
 * @returns number of rows written, and of rows without text among them
 * @throws SettingsError for another file extension, ReviewsError if a prediction column already exists
 */
export async function scoreFile(
  model: SentimentModel,
  source: ReviewSource,
  out: string,
  onProgress: (progress: ScoreProgress) => void = () => {},
): Promise<{ rows: number; withoutText: number }> {
  const extension = path.extname(out).toLowerCase();
  if (!['.csv', '.jsonl', '.ndjson'].includes(extension))
    throw new SettingsError('SETTING_INVALID', `--out is '${out}'; it must end in .csv, .jsonl or .ndjson.`, {
      name: '--out',
      value: out,
    });
  const files = Object.values(source.splits).flat();
  const columns = [...new Set(files.flatMap((file) => file.columns))];
  const conflict = predictionColumns.find((column) => columns.includes(column));
  if (conflict)
    throw new ReviewsError(
      'REVIEWS_COLUMN_EXISTS',
      `${source.name} already has a column '${conflict}', which scoring adds. Rename that column, or score the original file.`,
      { name: source.name, column: conflict },
    );
  const totalRows = files.reduce((sum, file) => sum + file.rows, 0);
  const partialFile = `${out}.partial`;
  const stream = fs.createWriteStream(partialFile);
  const table =
    extension === '.csv' ? stringify({ header: true, columns: [...columns, ...predictionColumns] }) : undefined;
  table?.pipe(stream);
  const write = async (row: Row) => {
    const target = table ?? stream;
    const hasRoom = table ? table.write(row) : stream.write(`${JSON.stringify(row, bigIntToString)}\n`);
    if (!hasRoom) await once(target, 'drain');
  };
  const failed = new Promise<never>((_, reject) => stream.once('error', reject));
  failed.catch(() => {});
  const started = performance.now();
  let [rows, withoutText] = [0, 0];
  try {
    for await (const { rows: chunk } of readChunks(chunksOfFiles(files), columns)) {
      const texts = chunk.map((row) => textOf(row, source.reading.textColumns));
      const predictions = await model.predictSentiment(texts.filter((text) => text !== ''));
      let next = 0;
      for (const [i, row] of chunk.entries()) {
        const prediction = texts[i] === '' ? undefined : predictions[next++]!;
        if (!prediction) withoutText++;
        const [label, score] = predictionColumns;
        await Promise.race([
          failed,
          write({
            ...row,
            [label]: prediction?.label ?? null,
            [score]: prediction ? Number(prediction.score.toFixed(6)) : null,
          }),
        ]);
      }
      rows += chunk.length;
      const rowsPerSecond = (1000 * rows) / (performance.now() - started);
      onProgress({ rows, totalRows, rowsPerSecond, secondsLeft: (totalRows - rows) / rowsPerSecond });
    }
    (table ?? stream).end();
    await Promise.race([failed, finished(stream)]);
    fs.renameSync(partialFile, out);
  } catch (error) {
    stream.destroy();
    fs.rmSync(partialFile, { force: true });
    throw error;
  }
  return { rows, withoutText };
}
