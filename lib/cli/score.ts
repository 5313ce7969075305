/** `tunebook score`: scores texts, or a file of reviews of any size, with an exported model. */
import { SingleBar } from 'cli-progress';
import { ReviewsError, RunError, SettingsError } from '../errors.js';
import { wilsonInterval } from '../evaluation/interval.js';
import { duration, percent, percentInterval } from '../figures/format.js';
import { describeSource } from '../reviews/describe-source.js';
import { areNumbered, listColumns } from '../reviews/columns.js';
import { openReviews } from '../reviews/open-reviews.js';
import type { NamedFormat, Reading } from '../reviews/review.js';
import type { ReviewSource } from '../reviews/review-source.js';
import { isModelFolder, modelFolderOf, newestModel, notebookModel, openRun, RunFolder } from '../runs/run-folder.js';
import { checkOutput, scoreFile, type ScoreProgress } from '../serving/score-file.js';
import { openSentimentModel, type Prediction, type SentimentModel } from '../serving/sentiment.js';
import { settingText } from '../settings/setting-text.js';
import type { Settings } from '../settings/settings.js';
import type { fileSettings } from './settings-flags.js';

/** Options of the command line. */
export interface ScoreOptions {
  model?: string;
  file?: string;
  /** Second text of all sentences. */
  textPair?: string;
  out?: string;
  overwrite?: boolean;
  /** How the file is read. */
  reading: Pick<Settings, (typeof fileSettings)[number]>;
  precision: string;
  calibrated?: boolean;
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

/** Codes of errors of a file that lacks columns of training, or has another number of them. */
const otherColumns = ['REVIEWS_NO_COLUMN', 'REVIEWS_COLUMNS_MISMATCH'];

/** Opens a file as in training; undefined if its columns are others. */
async function openAsInTraining(open: () => Promise<ReviewSource>): Promise<ReviewSource | undefined> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof ReviewsError && otherColumns.includes(error.code)) return undefined;
    throw error;
  }
}

/** The named settings of training that the command does not override; undefined if there are none. */
function formatOfTraining(trained: NamedFormat = {}, { delimiter, header, columns }: ScoreOptions['reading']) {
  const named = { ...trained };
  if (delimiter !== undefined) delete named.delimiter;
  if (header !== 'auto') delete named.header;
  if (columns) delete named.columns;
  return Object.keys(named).length > 0 ? named : undefined;
}

const describeFormat = ({ delimiter, header, columns }: NamedFormat): string =>
  [
    ...(delimiter === undefined ? [] : [settingText('delimiter', delimiter)]),
    ...(header === undefined ? [] : [settingText('header', String(header))]),
    ...(columns ? [settingText('columns', columns.join(','))] : []),
  ].join(', ');

/**
 * Opens the file to score: with the settings and text columns of the command, or else those of training, or else what is
 * detected.
 * @returns the source, and sentences about its format and columns
 * @throws ReviewsError if the file lacks these columns, SettingsError for a second text that the model does not accept
 */
async function openFile(
  file: string,
  { reading }: ScoreOptions,
  { preprocessing, takesPairs }: SentimentModel,
): Promise<{ source: ReviewSource; notes: string[] }> {
  if (reading.textPairColumn !== undefined && takesPairs === false)
    throw new SettingsError(
      'SETTING_CONFLICT',
      `${settingText('textPairColumn', reading.textPairColumn)} is set, but the model was trained on single texts. Remove it.`,
      { names: ['textPairColumn'] },
    );
  const requested = reading.textColumns;
  const trained = preprocessing?.reading?.textColumns;
  const textPairColumn = reading.textPairColumn ?? preprocessing?.reading?.textPairColumn;
  const trainedText = trained?.join(', ');
  const format = formatOfTraining(preprocessing?.reading?.format, reading);
  const notes: string[] = [];
  const open = (textColumns: string[] | undefined, named: NamedFormat = {}) =>
    openReviews(file, { ...reading, ...named, textColumns, textPairColumn, labelsOptional: true, allColumns: true });
  const describe = (source: ReviewSource, reason: string) => ({
    source,
    notes: [...notes, `Text columns: ${source.reading.textColumns.join(', ')}, ${reason}.`],
  });
  let source: ReviewSource | undefined;
  if (format) {
    source = await openAsInTraining(() => open(requested ?? trained, format));
    notes.push(
      source
        ? `Format as in training: ${describeFormat(format)}. Flags override it.`
        : `The format is detected: the columns are not those of training (${describeFormat(format)}).`,
    );
  }
  if (requested) {
    source ??= await open(requested);
    const isOther = trainedText !== undefined && trainedText !== source.reading.textColumns.join(', ');
    return describe(source, `as specified${isOther ? `; the model was trained on ${trainedText}` : ''}`);
  }
  const chosen = async (reason: string) => {
    const found = await open(undefined);
    const by = areNumbered(found.reading.textColumns) ? 'content' : 'names';
    return describe(found, `chosen by their ${by}: ${reason}`);
  };
  if (!trained) return chosen('the model does not store its training columns');
  source ??= await openAsInTraining(() => open(trained));
  if (source) return describe(source, 'as in training');
  try {
    return await chosen(`the file lacks the training columns ${trainedText}`);
  } catch (error) {
    if (!(error instanceof ReviewsError) || error.code !== 'REVIEWS_NO_TEXT_COLUMN') throw error;
    throw new ReviewsError(
      'REVIEWS_NO_COLUMN',
      `${file} lacks text columns of training: the model was trained on ${trainedText}, the file has ` +
        `${listColumns(error.values['columns'] as string[])}. Name the columns with the text: ${settingText('textColumns')}.`,
      { ...error.values, trained },
    );
  }
}

/** Describes how many texts were truncated; empty if none. */
const describeTruncated = (truncated: number, all: number, model: SentimentModel): string =>
  truncated === 0
    ? ''
    : `${truncated.toLocaleString('en')} of ${all.toLocaleString('en')} texts were truncated to ${describeMaxLength(model)}.`;

/** Describes labels that were not compared with the predictions, and how training read them. */
function describeOtherLabels(rows: number, { labelColumn, labelColumns, labelSeparator, classes }: Reading): string {
  const form = labelColumns
    ? '0 or 1 in each column'
    : labelSeparator === undefined
      ? 'lists of classes'
      : `classes separated by ${labelSeparator}`;
  const isMultiLabel = classes.problemType === 'multi_label_classification';
  return (
    `Not compared: ${rows.toLocaleString('en')} rows whose label in '${labelColumn}' is none of training` +
    `${isMultiLabel ? `, or not written as there: ${form}` : ''}.`
  );
}

/**
 * Scores a file and prints a summary. What was read, truncated and compared is printed on standard error.
 * @throws see `score`
 */
async function scoreToFile(model: SentimentModel, file: string, out: string, options: ScoreOptions): Promise<void> {
  const { source, notes } = await openFile(file, options, model);
  [...notes, ...describeSource(source)].forEach((sentence) => console.error(sentence));
  const progress = showProgress();
  const { correct, absoluteError, encodingNote, ...counts } = await scoreFile(
    model,
    source,
    out,
    progress.update,
  ).finally(progress.stop);
  const { rows, withoutText, truncated, labeled } = counts;
  const truncatedNote = describeTruncated(truncated, rows - withoutText, model);
  if (truncatedNote) console.error(truncatedNote);
  if (encodingNote) console.error(encodingNote);
  if (counts.otherLabels > 0) console.error(describeOtherLabels(counts.otherLabels, model.preprocessing!.reading!));
  const isRegression = model.problemType === 'regression';
  const isMultiLabel = model.problemType === 'multi_label_classification';
  const accuracy = labeled > 0 && !isRegression ? correct / labeled : undefined;
  const meanAbsoluteError = labeled > 0 && isRegression ? absoluteError! / labeled : undefined;
  if (options.json) {
    console.log(
      JSON.stringify({
        ...counts,
        ...(isMultiLabel ? { subsetAccuracy: accuracy } : { accuracy }),
        meanAbsoluteError,
        textColumns: source.reading.textColumns,
        textPairColumn: source.reading.textPairColumn,
        out,
      }),
    );
    return;
  }
  if (accuracy !== undefined)
    console.log(
      `${isMultiLabel ? 'Subset accuracy (all classes right)' : 'Accuracy'} ${percent(accuracy)} of ${labeled.toLocaleString('en')} rows with a label in '${model.preprocessing!.reading!.labelColumn}' ` +
        `(95 % interval ${percentInterval(wilsonInterval(correct, labeled))}); rows of the training set, if any, make it too high`,
    );
  if (meanAbsoluteError !== undefined)
    console.log(
      `Mean absolute error ${meanAbsoluteError.toFixed(3)} of ${labeled.toLocaleString('en')} rows with a number in ` +
        `'${model.preprocessing!.reading!.labelColumn}'; rows of the training set, if any, make it too low`,
    );
  const skipped = withoutText > 0 ? `, ${withoutText} of them without text and therefore without a prediction` : '';
  console.log(`${rows.toLocaleString('en')} rows scored${skipped}: ${out}, written as ${counts.format}`);
}

/** A prediction in words: the class, the number, or all classes that apply, each with its score. */
function describePrediction({ label, score, labels, probabilities }: Prediction): string {
  // Only the label of multi-label classification can be null.
  if (!labels) return `${label!.padEnd(10)} ${score.toFixed(3)}`;
  return labels.map((name) => `${name} ${probabilities![name]!.toFixed(3)}`).join(', ') || 'none';
}

/**
 * Runs `tunebook score`.
 * @throws SettingsError if options are invalid, missing or contradictory, or a text is empty; FileError if the output exists
 * @throws RunError, ModelFormatError, ReviewsError
 */
export async function score(sentences: string[], options: ScoreOptions): Promise<void> {
  const { file, out, json, textPair } = options;
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
  const run = sentences.find((sentence) => new RunFolder(sentence).isRun || isModelFolder(sentence));
  if (run !== undefined)
    throw new SettingsError(
      'SETTING_CONFLICT',
      `${run} is a run or a model, not a text. To score with it: npx tunebook score --model ${run} 'A text.'`,
      { names: ['sentences', '--model'], value: run },
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
  if (file !== undefined && textPair !== undefined)
    throw new SettingsError(
      'SETTING_CONFLICT',
      `--text-pair and --file cannot be combined. Name the column with the second text: ${settingText('textPairColumn')}.`,
      { names: ['--text-pair', '--file'] },
    );
  if (textPair?.trim() === '')
    throw new SettingsError('SETTING_MISSING', '--text-pair is empty. Give the second text, or leave it out.', {
      names: ['--text-pair'],
    });
  if (options.precision !== 'float32' && options.precision !== 'int8')
    throw new SettingsError('SETTING_INVALID', `--precision is '${options.precision}'; it must be float32 or int8.`, {
      name: '--precision',
      value: options.precision,
    });
  if (file !== undefined && out !== undefined) checkOutput(out, file, options.overwrite ?? false);
  const { precision, calibrated = false } = options;
  const model = await openSentimentModel(modelFolder(options.model), { precision, calibrated });
  try {
    if (file !== undefined && out !== undefined) {
      await scoreToFile(model, file, out, options);
      return;
    }
    if (model.takesPairs !== undefined && model.takesPairs !== (textPair !== undefined))
      throw new SettingsError(
        model.takesPairs ? 'SETTING_MISSING' : 'SETTING_CONFLICT',
        model.takesPairs
          ? 'The model was trained on pairs of texts. Give the second text: --text-pair.'
          : 'The model was trained on single texts. Remove --text-pair.',
        { names: ['--text-pair'] },
      );
    const inputs = sentences.map((text) => (textPair === undefined ? text : { text, pair: textPair }));
    const predictions = await model.predictSentiment(inputs);
    if (json) console.log(JSON.stringify(predictions));
    else predictions.forEach((prediction, i) => console.log(`${describePrediction(prediction)}  ${sentences[i]}`));
    const truncatedNote = describeTruncated(
      inputs.filter((input) => model.isTruncated(input)).length,
      sentences.length,
      model,
    );
    if (truncatedNote) console.error(truncatedNote);
  } finally {
    await model.dispose();
  }
}
