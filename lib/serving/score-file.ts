/**
 * A file of reviews of any size, scored: read in pieces, written as it goes, each row with all it had and the verdict. The
 * result comes under its name when it is whole.
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

export interface ScoreProgress {
  rows: number;
  /** Of all files. */
  totalRows: number;
  rowsPerSecond: number;
  secondsLeft: number;
}

/** What the columns of the verdict are called. */
const verdictColumns = ['predicted_label', 'predicted_score'] as const;

/** JSON has no word for numbers beyond 2^53, which Parquet may hold. */
const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

/**
 * @param source of openReviews; labels are not looked at. Rows without text get no verdict
 * @param out .csv, or .jsonl or .ndjson
 * @returns rows written, and those among them that had no text
 * @throws SettingsError for a file of another kind, ReviewsError when a column of the verdict's name is there already
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
  const taken = verdictColumns.find((column) => columns.includes(column));
  if (taken)
    throw new ReviewsError(
      'REVIEWS_COLUMN_EXISTS',
      `${source.name} has a column '${taken}' already: was it scored before? Rename it.`,
      { name: source.name, column: taken },
    );
  const totalRows = files.reduce((sum, file) => sum + file.rows, 0);
  const aside = `${out}.partial`;
  const stream = fs.createWriteStream(aside);
  const table =
    extension === '.csv' ? stringify({ header: true, columns: [...columns, ...verdictColumns] }) : undefined;
  table?.pipe(stream);
  const write = async (row: Row) => {
    const target = table ?? stream;
    const room = table ? table.write(row) : stream.write(`${JSON.stringify(row, plain)}\n`);
    if (!room) await once(target, 'drain');
  };
  const failed = new Promise<never>((_, reject) => stream.once('error', reject));
  failed.catch(() => {});
  const started = performance.now();
  let [rows, withoutText] = [0, 0];
  try {
    for await (const { rows: some } of readChunks(chunksOfFiles(files), columns)) {
      const texts = some.map((row) => textOf(row, source.reading.textColumns));
      const asked = texts.filter((text) => text !== '');
      const found = await model.predictSentiment(asked);
      let next = 0;
      for (const [i, row] of some.entries()) {
        const verdict = texts[i] === '' ? undefined : found[next++]!;
        if (!verdict) withoutText++;
        const [label, score] = verdictColumns;
        await Promise.race([
          failed,
          write({
            ...row,
            [label]: verdict?.label ?? null,
            [score]: verdict ? Number(verdict.score.toFixed(6)) : null,
          }),
        ]);
      }
      rows += some.length;
      const rowsPerSecond = (1000 * rows) / (performance.now() - started);
      onProgress({ rows, totalRows, rowsPerSecond, secondsLeft: (totalRows - rows) / rowsPerSecond });
    }
    (table ?? stream).end();
    await Promise.race([failed, finished(stream)]);
    fs.renameSync(aside, out);
  } catch (error) {
    stream.destroy();
    fs.rmSync(aside, { force: true });
    throw error;
  }
  return { rows, withoutText };
}
