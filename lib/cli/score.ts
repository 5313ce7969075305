/** `tunebook score`: verdicts on sentences, or on a file of reviews of any size, by an exported model. */
import fs from 'node:fs';
import { SingleBar } from 'cli-progress';
import { RunError, SettingsError } from '../errors.js';
import { duration } from '../figures/format.js';
import { openReviews } from '../reviews/open-reviews.js';
import { findRuns, isModelFolder, modelOf, openRun } from '../runs/run-folder.js';
import { scoreFile, type ScoreProgress } from '../serving/score-file.js';
import { openSentimentModel } from '../serving/sentiment.js';

export interface ScoreOptions {
  model?: string;
  file?: string;
  out?: string;
  textColumns?: string;
  precision: string;
  json?: boolean;
}

/**
 * The model's folder of a run, or a folder that is a model; without a name that of the newest run which has one.
 * @throws RunError when there is none
 */
export function modelFolder(name?: string): string {
  if (name !== undefined && isModelFolder(name)) return name;
  const run =
    name === undefined
      ? findRuns().findLast((run) => run.settings!.command === 'finetune' && fs.existsSync(run.of('model')))
      : openRun(name);
  if (!run)
    throw new RunError(
      'RUN_NOT_FOUND',
      'There is no run with a model in runs/. Name a run or a model folder (--model), or make one: tunebook finetune',
      { folder: 'runs' },
    );
  return modelOf(run);
}

/** Says how far a file is: a bar on a terminal, elsewhere a line now and then. */
function showProgress(): { update: (progress: ScoreProgress) => void; stop: () => void } {
  const words = ({ rows, totalRows, rowsPerSecond, secondsLeft }: ScoreProgress) =>
    `${rows.toLocaleString('en')} of ${totalRows.toLocaleString('en')} rows, ${rowsPerSecond.toFixed(0)} rows/s, ${duration(secondsLeft)} left`;
  let bar: SingleBar | undefined;
  let told = performance.now();
  return {
    update(progress) {
      if (process.stderr.isTTY) {
        if (!bar) {
          bar = new SingleBar({ format: '{bar} {words}', barsize: 20, hideCursor: true, stream: process.stderr });
          bar.start(progress.totalRows, 0, { words: '' });
        }
        bar.update(progress.rows, { words: words(progress) });
      } else if (performance.now() - told > 10_000) {
        console.error(words(progress));
        told = performance.now();
      }
    },
    stop: () => bar?.stop(),
  };
}

/** @throws SettingsError for what contradicts itself, RunError, ModelFormatError, ReviewsError */
export async function score(sentences: string[], options: ScoreOptions): Promise<void> {
  const { file, out, json } = options;
  if (file === undefined && sentences.length === 0)
    throw new SettingsError(
      'SETTING_MISSING',
      'Nothing to score: give sentences, or --file reviews.csv --out scored.csv.',
      { names: ['sentences', '--file'] },
    );
  if ((file === undefined) !== (out === undefined))
    throw new SettingsError('SETTING_MISSING', '--file and --out go together: the one is read, the other written.', {
      names: ['--file', '--out'],
    });
  if (file !== undefined && sentences.length > 0)
    throw new SettingsError('SETTING_CONFLICT', 'Give sentences or --file, not both.', {
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
      const verdicts = await model.predictSentiment(sentences);
      if (json) console.log(JSON.stringify(verdicts));
      else
        verdicts.forEach(({ label, score }, i) =>
          console.log(`${label.padEnd(10)} ${score.toFixed(3)}  ${sentences[i]}`),
        );
      return;
    }
    const textColumns = options.textColumns?.split(',');
    const source = await openReviews(file, { ...(textColumns && { textColumns }), labelsOptional: true });
    const progress = showProgress();
    const { rows, withoutText } = await scoreFile(model, source, out!, progress.update).finally(progress.stop);
    const words = `${rows.toLocaleString('en')} rows scored${withoutText > 0 ? `, ${withoutText} of them without text and so without a verdict` : ''}: ${out}`;
    console.log(json ? JSON.stringify({ rows, withoutText, out }) : words);
  } finally {
    await model.dispose();
  }
}
