/** `tunebook score`: scores texts, or a file of reviews of any size, with an exported model. */
import { SingleBar } from 'cli-progress';
import { ReviewsError, RunError, SettingsError } from '../errors.js';
import { wilsonInterval } from '../evaluation/metrics.js';
import { duration, percent, percentInterval } from '../figures/format.js';
import { describeSource } from '../reviews/describe-source.js';
import { listColumns } from '../reviews/columns.js';
import { openReviews } from '../reviews/open-reviews.js';
import type { ReviewSource } from '../reviews/review-source.js';
import { isModelFolder, modelFolderOf, newestModel, notebookModel, openRun } from '../runs/run-folder.js';
import { checkOutput, scoreFile, type ScoreProgress } from '../serving/score-file.js';
import { openSentimentModel, type SentimentModel } from '../serving/sentiment.js';
import { settingText } from '../settings/setting-text.js';
import type { Settings } from '../settings/settings.js';
import type { fileSettings } from './settings-flags.js';

/** Options of the command line. */
export interface ScoreOptions {
  model?: string;
  file?: string;
  out?: string;
  overwrite?: boolean;
  /** How the file is read. */
  reading: Pick<Settings, (typeof fileSettings)[number]>;
  precision: string;
  json?: boolean;
}

/**
 * Finds a model folder.
 * @param name a model folder, a run, or a folder of `npm start`. @default the newest classifier in runs/
 * @throws RunError if there is no such run, or if it has no model
 */
export function modelFolder(name?: string): string {
  if (name !== undefined) return isModelFolder(name) ? name : (notebookModel(name) ?? modelFolderOf(openRun(name)));
  const newest = newestModel();
  if (newest === undefined)
    throw new RunError(
      'RUN_NOT_FOUND',
      'There is no model in runs/. Choose a run or a model folder, or train a model: npx tunebook finetune',
      { folder: 'runs' },
    );
  return newest;
}

/** Describes the length to which a model's texts are truncated. */
export const describeMaxLength = ({ maxLength, preprocessing }: SentimentModel): string =>
  `${maxLength} tokens, ${preprocessing ? 'as in training' : 'which the model accepts at most'}`;

/** Shows the progress of scoring a file: a bar on a terminal, else a line every 10 s. */
function showProgress(): { update: (progress: ScoreProgress) => void; stop: () => void } {
  const describe = ({ rows, totalRows, rowsPerSecond, secondsLeft }: ScoreProgress) =>
    `${rows.toLocaleString('en')} of ${totalRows.toLocaleString('en')} rows, ${rowsPerSecond.toFixed(0)} rows/s, ${duration(secondsLeft)} left`;
  let bar: SingleBar | undefined;
  let lastLine = performance.now();
  return {
    update(progress) {
      if (process.stderr.isTTY) {
        if (!bar) {
          bar = new SingleBar({ format: '{bar} {text}', barsize: 20, hideCursor: true, stream: process.stderr });
          bar.start(progress.totalRows, 0, { text: '' });
        }
        bar.update(progress.rows, { text: describe(progress) });
      } else if (performance.now() - lastLine > 10_000) {
        console.error(describe(progress));
        lastLine = performance.now();
      }
    },
    stop: () => bar?.stop(),
  };
}

/**
 * Opens the file to score, with the text columns of the command, or else those of training, or else usual ones.
 * @returns the source, and a sentence about its columns
 * @throws ReviewsError if the file lacks these columns
 */
async function openFile(
  file: string,
  { reading }: ScoreOptions,
  { preprocessing }: SentimentModel,
): Promise<{ source: ReviewSource; note: string }> {
  const requested = reading.textColumns;
  const trained = preprocessing?.reading?.textColumns;
  const trainedText = trained?.join(', ');
  const open = (textColumns: string[] | undefined) =>
    openReviews(file, { ...reading, textColumns, labelsOptional: true, allColumns: true });
  const describe = (source: ReviewSource, reason: string) => ({
    source,
    note: `Text columns: ${source.reading.textColumns.join(', ')}, ${reason}.`,
  });
  if (requested) {
    const source = await open(requested);
    const isOther = trainedText !== undefined && trainedText !== source.reading.textColumns.join(', ');
    return describe(source, `as specified${isOther ? `; the model was trained on ${trainedText}` : ''}`);
  }
  if (!trained)
    return describe(await open(undefined), 'chosen by their names: the model does not store its training columns');
  try {
    return describe(await open(trained), 'as in training');
  } catch (error) {
    if (!(error instanceof ReviewsError) || error.code !== 'REVIEWS_NO_COLUMN') throw error;
    try {
      return describe(
        await open(undefined),
        `chosen by their names: the file lacks the training columns ${trainedText}`,
      );
    } catch {
      throw new ReviewsError(
        'REVIEWS_NO_COLUMN',
        `${file} lacks text columns of training: the model was trained on ${trainedText}, the file has ` +
          `${listColumns(error.values['columns'] as string[])}. Name the columns with the text: ${settingText('textColumns')}.`,
        { ...error.values, trained },
      );
    }
  }
}

/** Describes how many texts were truncated; empty if none. */
const describeTruncated = (truncated: number, all: number, model: SentimentModel): string =>
  truncated === 0
    ? ''
    : `${truncated.toLocaleString('en')} of ${all.toLocaleString('en')} texts were truncated to ${describeMaxLength(model)}.`;

/**
 * Scores a file and prints a summary. What was read, truncated and compared is printed on standard error.
 * @throws see `score`
 */
async function scoreToFile(model: SentimentModel, file: string, out: string, options: ScoreOptions): Promise<void> {
  const { source, note } = await openFile(file, options, model);
  console.error(note);
  describeSource(source).forEach((sentence) => console.error(sentence));
  const progress = showProgress();
  const { correct, ...counts } = await scoreFile(model, source, out, progress.update).finally(progress.stop);
  const { rows, withoutText, truncated, labeled } = counts;
  const truncatedNote = describeTruncated(truncated, rows - withoutText, model);
  if (truncatedNote) console.error(truncatedNote);
  const accuracy = labeled > 0 ? correct / labeled : undefined;
  if (options.json) {
    console.log(JSON.stringify({ ...counts, accuracy, textColumns: source.reading.textColumns, out }));
    return;
  }
  if (accuracy !== undefined)
    console.log(
      `Accuracy ${percent(accuracy)} of ${labeled.toLocaleString('en')} rows with a label in '${model.preprocessing!.reading!.labelColumn}' ` +
        `(95 % interval ${percentInterval(wilsonInterval(correct, labeled))})`,
    );
  const skipped = withoutText > 0 ? `, ${withoutText} of them without text and therefore without a prediction` : '';
  console.log(`${rows.toLocaleString('en')} rows scored${skipped}: ${out}, written as ${counts.format}`);
}

/**
 * Runs `tunebook score`.
 * @throws SettingsError if options are invalid, missing or contradictory, or a text is empty; FileError if the output exists
 * @throws RunError, ModelFormatError, ReviewsError
 */
export async function score(sentences: string[], options: ScoreOptions): Promise<void> {
  const { file, out, json } = options;
  if (file === undefined && sentences.length === 0)
    throw new SettingsError(
      'SETTING_MISSING',
      'There is nothing to score. Give texts as arguments, or --file reviews.csv --out scored.csv.',
      { names: ['sentences', '--file'] },
    );
  const empty = sentences.findIndex((sentence) => sentence.trim() === '');
  if (empty !== -1)
    throw new SettingsError(
      'SETTING_MISSING',
      `There is nothing to score: text ${empty + 1} of ${sentences.length} is empty. Leave it out, or give another text.`,
      { names: ['sentences'], text: empty + 1 },
    );
  if ((file === undefined) !== (out === undefined))
    throw new SettingsError(
      'SETTING_MISSING',
      '--file, the file to read, and --out, the file to write, must be given together.',
      {
        names: ['--file', '--out'],
      },
    );
  if (file !== undefined && sentences.length > 0)
    throw new SettingsError('SETTING_CONFLICT', 'Texts and --file cannot be combined. Give one of the two.', {
      names: ['sentences', '--file'],
    });
  if (options.precision !== 'float32' && options.precision !== 'int8')
    throw new SettingsError('SETTING_INVALID', `--precision is '${options.precision}'; it must be float32 or int8.`, {
      name: '--precision',
      value: options.precision,
    });
  if (file !== undefined && out !== undefined) checkOutput(out, file, options.overwrite ?? false);
  const model = await openSentimentModel(modelFolder(options.model), { precision: options.precision });
  try {
    if (file !== undefined && out !== undefined) {
      await scoreToFile(model, file, out, options);
      return;
    }
    const predictions = await model.predictSentiment(sentences);
    if (json) console.log(JSON.stringify(predictions));
    else
      predictions.forEach(({ label, score }, i) =>
        console.log(`${label.padEnd(10)} ${score.toFixed(3)}  ${sentences[i]}`),
      );
    const truncatedNote = describeTruncated(
      sentences.filter((sentence) => model.isTruncated(sentence)).length,
      sentences.length,
      model,
    );
    if (truncatedNote) console.error(truncatedNote);
  } finally {
    await model.dispose();
  }
}
