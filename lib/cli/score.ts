/** `tunebook score`: scores texts, or a file of reviews of any size, with an exported model. */
import path from 'node:path';
import fs from 'node:fs';
import { SingleBar } from 'cli-progress';
import { RunError, SettingsError } from '../errors.js';
import { duration } from '../figures/format.js';
import { openReviews } from '../reviews/open-reviews.js';
import { findRuns, isModelFolder, modelFolderOf, openRun } from '../runs/run-folder.js';
import { scoreFile, type ScoreProgress } from '../serving/score-file.js';
import { openSentimentModel } from '../serving/sentiment.js';

/** Options of the command line. */
export interface ScoreOptions {
  model?: string;
  file?: string;
  out?: string;
  textColumns?: string;
  precision: string;
  json?: boolean;
}

/**
 * Finds a model folder.
 * @param name a model folder, or a run. @default the newest `finetune` run with a model
 * @throws RunError if there is no such run, or if it has no model
 */
export function modelFolder(name?: string): string {
  if (name !== undefined && isModelFolder(name)) return name;
  const run =
    name === undefined
      ? findRuns().findLast((run) => run.settings!.command === 'finetune' && fs.existsSync(run.path('model')))
      : openRun(name);
  if (!run)
    throw new RunError(
      'RUN_NOT_FOUND',
      'There is no run with a model in runs/. Choose a run or a model folder, or train a model: tunebook finetune',
      { folder: 'runs' },
    );
  return modelFolderOf(run);
}

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
 * Runs `tunebook score`.
 * @throws SettingsError if options are invalid, missing or contradictory; RunError, ModelFormatError, ReviewsError
 */
export async function score(sentences: string[], options: ScoreOptions): Promise<void> {
  const { file, out, json } = options;
  if (file === undefined && sentences.length === 0)
    throw new SettingsError(
      'SETTING_MISSING',
      'There is nothing to score. Give texts as arguments, or --file reviews.csv --out scored.csv.',
      { names: ['sentences', '--file'] },
    );
  if ((file === undefined) !== (out === undefined))
    throw new SettingsError(
      'SETTING_MISSING',
      '--file, the file to read, and --out, the file to write, must be given together.',
      {
        names: ['--file', '--out'],
      },
    );
  if (file !== undefined && out !== undefined && path.resolve(file) === path.resolve(out))
    throw new SettingsError('SETTING_CONFLICT', `--file and --out are the same file, ${file}. Write to another file.`, {
      names: ['--file', '--out'],
    });
  if (file !== undefined && sentences.length > 0)
    throw new SettingsError('SETTING_CONFLICT', 'Texts and --file cannot be combined. Give one of the two.', {
      names: ['sentences', '--file'],
    });
  if (options.precision !== 'float32' && options.precision !== 'int8')
    throw new SettingsError('SETTING_INVALID', `--precision is '${options.precision}'; it must be float32 or int8.`, {
      name: '--precision',
      value: options.precision,
    });
  const model = await openSentimentModel(modelFolder(options.model), { precision: options.precision });
  try {
    if (file === undefined) {
      const predictions = await model.predictSentiment(sentences);
      if (json) console.log(JSON.stringify(predictions));
      else
        predictions.forEach(({ label, score }, i) =>
          console.log(`${label.padEnd(10)} ${score.toFixed(3)}  ${sentences[i]}`),
        );
      return;
    }
    const textColumns = options.textColumns?.split(',');
    const source = await openReviews(file, {
      ...(textColumns && { textColumns }),
      labelsOptional: true,
      allColumns: true,
    });
    const progress = showProgress();
    const { rows, withoutText } = await scoreFile(model, source, out!, progress.update).finally(progress.stop);
    const skipped = withoutText > 0 ? `, ${withoutText} of them without text and therefore without a prediction` : '';
    const summary = `${rows.toLocaleString('en')} rows scored${skipped}: ${out}`;
    console.log(json ? JSON.stringify({ rows, withoutText, out }) : summary);
  } finally {
    await model.dispose();
  }
}
