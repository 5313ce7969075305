/**
 * Scores a file of reviews of any size. Rows are read in chunks and written as they are scored, with all their columns
 * and the prediction. The output is renamed to its final name once it is complete.
 */
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { finished } from 'node:stream/promises';
import iconv from 'iconv-lite';
import Papa from 'papaparse';
import { exitCodes, FileError, ReviewsError, SettingsError } from '../errors.js';
import { nothingDropped, reviewsOfRows, textOf, type Reading, type Review } from '../reviews/review.js';
import { findColumn } from '../reviews/columns.js';
import { describeFile } from '../reviews/describe-source.js';
import { cellOf, stringifyExact } from '../reviews/exact-json.js';
import { chunksOfFiles, readChunks, type Row, type RowFile } from '../reviews/row-file.js';
import type { ReviewSource } from '../reviews/review-source.js';
import { onEndingSignal } from '../signals.js';
import type { Prediction, SentimentModel, TextInput } from './sentiment.js';

/** Progress of scoring a file. */
export interface ScoreProgress {
  rows: number;
  /** Number of rows in all files. */
  totalRows: number;
  rowsPerSecond: number;
  secondsLeft: number;
}

const rounded = (score: number): number => Number(score.toFixed(6));

/** The columns with the prediction: of a row without text they are null. */
function predictionColumns({ labels, problemType }: SentimentModel, prediction?: Prediction): Row {
  if (problemType !== 'multi_label_classification')
    return {
      predicted_label: prediction?.label ?? null,
      predicted_score: prediction ? rounded(prediction.score) : null,
    };
  const probabilityOf = (name: string) => (prediction ? rounded(prediction.probabilities![name]!) : null);
  return {
    predicted_labels: prediction?.labels ?? null,
    ...Object.fromEntries(labels.map((name) => [`probability_${name}`, probabilityOf(name)])),
  };
}

/** The result of scoring a file, in numbers of rows. */
export interface ScoredFile {
  rows: number;
  /** Rows without text, or without one of the texts of a pair, which get no prediction. */
  withoutText: number;
  /** Rows whose text is longer than the maximum length of the model. */
  truncated: number;
  /** Rows with a label of the training data in the training label column. */
  labeled: number;
  /** Rows with another label in that column, or one that is written otherwise than in training, which is not compared. */
  otherLabels: number;
  /** Labeled rows whose predicted class is that of the label, or whose predicted classes are all those of the label; 0 for regression. */
  correct: number;
  /** The sum of the absolute errors of labeled rows, of a regression. */
  absoluteError?: number;
  /** How the file was written, as in `delimited text (semicolon, windows-1252)`. */
  format: string;
  /** Why the output has another encoding than the input, a sentence; undefined if it has the same. */
  encodingNote?: string;
}

const extensionOf = (out: string) => path.extname(out).toLowerCase();

/**
 * Checks an output file before the work starts.
 * @param out path of the file
 * @param input name of the input, which may be the same file
 * @param overwrite whether an existing file may be replaced
 * @throws SettingsError for an unknown file extension, FileError if the file exists, is a folder, or its folder does not exist
 */
export function checkOutput(out: string, input: string, overwrite: boolean): void {
  if (!['.csv', '.tsv', '.jsonl', '.ndjson'].includes(extensionOf(out)))
    throw new SettingsError('SETTING_INVALID', `--out is '${out}'; it must end in .csv, .tsv, .jsonl or .ndjson.`, {
      name: '--out',
      value: out,
    });
  const parent = path.dirname(out);
  if (!fs.existsSync(parent))
    throw new FileError('FILE_NOT_FOUND', `There is no folder ${parent} for ${out}. Create it, or correct --out.`, {
      path: parent,
    });
  if (!fs.existsSync(out)) return;
  if (fs.statSync(out).isDirectory())
    throw new FileError('FILE_UNUSABLE', `${out} is a folder. Choose a file with --out.`, { path: out });
  if (overwrite) return;
  const isInput = fs.existsSync(input) && fs.realpathSync(input) === fs.realpathSync(out);
  throw new FileError(
    'FILE_EXISTS',
    `${out} ${isInput ? 'is the input file' : 'exists already'}. Choose another file with --out, or replace it with --overwrite.`,
    { path: out },
  );
}

/** How a file is written. */
interface OutputFormat {
  /** Undefined for JSON lines. */
  delimiter: string | undefined;
  encoding: string;
  byteOrderMark: boolean;
  encodingNote?: string;
}

/** Whether a text is the same after it was written in an encoding, which may lack some of its characters. */
const canEncode = (text: string, encoding: string): boolean =>
  iconv.decode(iconv.encode(text, encoding), encoding) === text;

/** The encoding of the input if it can represent all rows, otherwise UTF-8 and the reason. */
async function outputEncoding(
  files: RowFile[],
  columns: string[],
  labels: string[],
): Promise<Pick<OutputFormat, 'encoding' | 'encodingNote'>> {
  const utf8 = (reason: string) => ({
    encoding: 'utf-8',
    encodingNote: `The output is written in utf-8, since ${reason}.`,
  });
  const encodings = new Set(files.flatMap(({ description }) => (description.encoding ?? 'utf-8').split(', ')));
  if (encodings.size > 1) return utf8(`the files have several encodings: ${[...encodings].sort().join(', ')}`);
  const [encoding = 'utf-8'] = encodings;
  if (/^utf-?(8|16)/.test(encoding)) return { encoding };
  const withoutCharacterOf = (text: string) => {
    if (canEncode(text, encoding)) return undefined;
    const character = Array.from(text).find((each) => !canEncode(each, encoding)) ?? text;
    return utf8(`${encoding} has no '${character}'`);
  };
  const lacking = withoutCharacterOf([...columns, ...labels].join(' '));
  if (lacking) return lacking;
  for await (const { rows } of readChunks(chunksOfFiles(files), columns)) {
    const text = rows.flatMap((row) => columns.map((column) => String(cellOf(row[column])))).join(' ');
    const lacking = withoutCharacterOf(text);
    if (lacking) return lacking;
  }
  return { encoding };
}

/** The format of the output: that of the input as far as possible, otherwise UTF-8 with commas, or tabs in a `.tsv` file. */
async function outputFormat(out: string, files: RowFile[], columns: string[], labels: string[]): Promise<OutputFormat> {
  const extension = extensionOf(out);
  // JSON is UTF-8 without a byte order mark (RFC 8259).
  if (extension !== '.csv' && extension !== '.tsv')
    return { delimiter: undefined, encoding: 'utf-8', byteOrderMark: false };
  const { delimiter = ',', byteOrderMark = false } = files[0]!.description;
  const encoding = await outputEncoding(files, columns, labels);
  return {
    ...encoding,
    delimiter: extension === '.tsv' ? '\t' : delimiter === '\t' ? ',' : delimiter,
    byteOrderMark: encoding.encoding === 'utf-8' ? byteOrderMark : encoding.encoding.startsWith('utf-16'),
  };
}

const describeFormat = ({ delimiter, encoding, byteOrderMark }: OutputFormat): string =>
  describeFile({
    format: delimiter === undefined ? 'JSON lines' : 'delimited text',
    encoding,
    ...(byteOrderMark && encoding === 'utf-8' && { byteOrderMark }),
    ...(delimiter !== undefined && { delimiter }),
  });

/**
 * Returns a function that reads a row as a review with its label; undefined if the row has no label of the training data.
 * @param onOtherLabel called for a row with another label
 */
function labelReader(
  { name, reading }: ReviewSource,
  trained: Reading | undefined,
  columns: string[],
  onOtherLabel: () => void,
) {
  if (trained?.labelColumn === undefined) return () => undefined;
  const named = (trained.labelColumns ?? [trained.labelColumn]).map((column) => findColumn(columns, column));
  const found = named.filter((column) => column !== undefined);
  if (found.length < named.length) return () => undefined;
  const { textColumns, textPairColumn } = reading;
  // Rows with other labels are only scored.
  const classReading: Reading = {
    ...trained,
    textColumns,
    textPairColumn,
    labelColumn: found[0],
    ...(trained.labelColumns && { labelColumns: found }),
    classes: { ...trained.classes, partial: true },
  };
  return (row: Row): Review | undefined => {
    const dropped = nothingDropped();
    try {
      const [review] = reviewsOfRows([row], classReading, dropped, name);
      if (dropped.unmappedLabel > 0) onOtherLabel();
      return review;
    } catch (error) {
      // A list of several labels, for a model of one class per text.
      if (!(error instanceof ReviewsError) || error.code !== 'REVIEWS_MULTI_LABEL') throw error;
      onOtherLabel();
      return undefined;
    }
  };
}

/** Whether the predicted class, or all predicted classes, are those of the label. */
const isCorrect = (prediction: Prediction, { label, labels }: Review, model: SentimentModel): boolean =>
  labels
    ? labels.map((number) => model.labels[number]).join('\n') === prediction.labels?.join('\n')
    : prediction.label === model.labels[label];

/**
 * Scores the rows of a source and writes them to a file, which replaces an existing one only once it is complete. A signal that ends the
 * process leaves nothing behind.
 * @param source of openReviews. Rows without text get no prediction; labels are only compared with the predictions
 * @param out a file for which `checkOutput` succeeds
 * @throws ReviewsError if a prediction column already exists
 */
export async function scoreFile(
  model: SentimentModel,
  source: ReviewSource,
  out: string,
  onProgress: (progress: ScoreProgress) => void = () => {},
): Promise<ScoredFile> {
  const files = Object.values(source.splits).flat();
  const columns = [...new Set(files.flatMap((file) => file.columns))];
  const added = Object.keys(predictionColumns(model));
  const conflict = added.find((column) => columns.includes(column));
  if (conflict)
    throw new ReviewsError(
      'REVIEWS_COLUMN_EXISTS',
      `${source.name} already has a column '${conflict}', which scoring adds. Rename that column, or score the original file.`,
      { name: source.name, column: conflict },
    );
  const totalRows = files.reduce((sum, file) => sum + file.rows, 0);
  const format = await outputFormat(out, files, columns, model.labels);
  const partialFile = `${out}.${randomUUID()}.partial`;
  const stream = fs.createWriteStream(partialFile);
  // A batch of long texts may take a while: a signal ends the process at once, but without the unfinished file.
  const stopListening = onEndingSignal((name) => {
    fs.rmSync(partialFile, { force: true });
    process.exit(exitCodes[name]);
  });
  const write = async (text: string, addBOM = false) => {
    if (!stream.write(iconv.encode(text, format.encoding, { addBOM }))) await once(stream, 'drain');
  };
  const fields = [...columns, ...added];
  const table = (rows: unknown[][]) =>
    `${Papa.unparse(rows, { delimiter: format.delimiter!, newline: '\n', header: false })}\n`;
  const failed = new Promise<never>((_, reject) => stream.once('error', reject));
  failed.catch(() => {});
  const started = performance.now();
  const isRegression = model.problemType === 'regression';
  const { textColumns, textPairColumn } = source.reading;
  /** The text or pair of a row; undefined if a text is empty. */
  const inputOf = (row: Row): TextInput | undefined => {
    const text = textOf(row, textColumns);
    const pair = textPairColumn === undefined ? undefined : textOf(row, [textPairColumn]);
    if (text === '' || pair === '') return undefined;
    return pair === undefined ? text : { text, pair };
  };
  const labeledOf = labelReader(source, model.preprocessing?.reading, columns, () => counts.otherLabels++);
  const counts: ScoredFile = {
    rows: 0,
    withoutText: 0,
    truncated: 0,
    labeled: 0,
    otherLabels: 0,
    correct: 0,
    ...(isRegression && { absoluteError: 0 }),
    format: describeFormat(format),
    ...(format.encodingNote !== undefined && { encodingNote: format.encodingNote }),
  };
  try {
    if (format.delimiter !== undefined) await write(table([fields]), format.byteOrderMark);
    for await (const { rows: chunk } of readChunks(chunksOfFiles(files), columns)) {
      const inputs = chunk.map(inputOf);
      const predictions = await model.predictSentiment(inputs.filter((input) => input !== undefined));
      const scored: Row[] = [];
      let next = 0;
      for (const [i, row] of chunk.entries()) {
        const input = inputs[i];
        const prediction = input === undefined ? undefined : predictions[next++]!;
        const labeled = labeledOf(row);
        if (!prediction) counts.withoutText++;
        else if (model.isTruncated(input!)) counts.truncated++;
        if (labeled && (!isRegression || prediction)) counts.labeled++;
        if (labeled && isRegression && prediction) counts.absoluteError! += Math.abs(prediction.score - labeled.label);
        else if (labeled && prediction && isCorrect(prediction, labeled, model)) counts.correct++;
        scored.push({ ...row, ...predictionColumns(model, prediction) });
      }
      const text =
        format.delimiter === undefined
          ? scored.map((row) => `${stringifyExact(row)}\n`).join('')
          : table(scored.map((row) => fields.map((field) => cellOf(row[field]))));
      await Promise.race([failed, write(text)]);
      counts.rows += chunk.length;
      const { rows } = counts;
      const rowsPerSecond = (1000 * rows) / (performance.now() - started);
      onProgress({ rows, totalRows, rowsPerSecond, secondsLeft: (totalRows - rows) / rowsPerSecond });
    }
    stream.end();
    await Promise.race([failed, finished(stream)]);
    fs.renameSync(partialFile, out);
  } catch (error) {
    stream.destroy();
    fs.rmSync(partialFile, { force: true });
    throw error;
  } finally {
    stopListening();
  }
  return counts;
}
