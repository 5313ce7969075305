/**
 * Output of a training command and of `npm start`: a progress bar on a terminal, or a line every few seconds in a file.
 * With `--json`, the journal as JSON lines on standard output, and all messages on standard error.
 */
import { SingleBar } from 'cli-progress';
import { describeDownload } from '../notebook/downloads.js';
import { describeRecord } from '../notebook/progress.js';
import { describeResult } from '../runs/describe-result.js';
import type { ResultDescription } from '../runs/result-description.js';
import { isClassification, type RunMetrics } from '../runs/metrics.js';
import { percent, percentInterval, duration, size } from '../figures/format.js';
import type { CalibrationEffect, CalibrationMetrics } from '../evaluation/calibrate.js';
import type { MaskedMetrics } from '../evaluation/evaluate-masked.js';
import type { ClassificationMetrics } from '../evaluation/metrics.js';
import type { JournalEntry } from '../runs/journal.js';
import type { TrainingRecord } from '../training/training-record.js';

/** Receives the journal and the messages of a job. */
export interface Output {
  /** Prints an entry of the journal. */
  entry(entry: JournalEntry): void;
  /** Prints a message. */
  print(text: string): void;
  /** Removes the progress bar and restores the cursor. */
  stop(): void;
}

/** Seconds between two progress lines where there is no bar. */
const lineInterval = 10;

/** Describes a training step in one line. */
function describeStep(record: TrainingRecord & { memoryBytes?: number }): string {
  const evaluation =
    record.evalLoss === undefined
      ? ''
      : `, validation loss ${record.evalLoss.toFixed(3)}` +
        (record.evalAccuracy === undefined ? '' : `, accuracy ${percent(record.evalAccuracy)}`) +
        (record.evalMicroF1 === undefined ? '' : `, micro F1 ${record.evalMicroF1.toFixed(3)}`);
  return describeRecord(record) + (record.memoryBytes ? `, ${size(record.memoryBytes)}` : '') + evaluation;
}

/** Formats rows of a title and a value. */
export const titledRows = (rows: [title: string, value: string][]): string =>
  rows.map(([title, value]) => `${title.padEnd(13)}${value}`).join('\n');

const describeMasked = ({ perplexity, loss, accuracy }: MaskedMetrics) =>
  `perplexity ${perplexity.toFixed(2)}, loss ${loss.toFixed(4)}, ${percent(accuracy)} of masked tokens predicted`;

/** The macro F1, with the class that has the lowest F1, and the error of star ratings. */
function describeScores({ macro, perClass, meanAbsoluteError }: ClassificationMetrics): [string, string][] {
  const lowest = perClass.filter(({ support }) => support > 0).reduce((a, b) => (b.f1 < a.f1 ? b : a));
  return [
    ['Macro F1', `${macro.f1.toFixed(3)} (lowest F1: ${lowest.f1.toFixed(3)}, class ${lowest.name})`],
    ...(meanAbsoluteError === null
      ? []
      : [['Stars', `mean absolute error ${meanAbsoluteError.toFixed(2)}`] satisfies [string, string]]),
  ];
}

/** What a calibration changes on the test set. */
function describeCalibration({ before, after }: CalibrationEffect): string {
  const change = (name: keyof CalibrationMetrics, text: (value: number) => string) =>
    `${text(before[name])} -> ${text(after[name])}`;
  const loss = change('loss', (value) => value.toFixed(3));
  return `loss ${loss}, calibration error ${change('calibrationError', percent)}, balanced accuracy ${change('balancedAccuracy', percent)}`;
}

/** Titles of baselines. */
const titles: Record<string, string> = {
  'bag of words': 'Bag of words',
  'mean of the training set': 'Mean',
  'most frequent set of classes': 'Frequent set',
};

/** The metrics of a result without a single accuracy, and those of the baselines. */
function describeScoresOf({ test, subject, baselines }: ResultDescription): [string, string][] {
  const inWords = (row: Record<string, string>) =>
    Object.entries(row)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
  return [
    ['Test', `${inWords(test)}; ${subject}`],
    ...baselines.map(({ name, metrics }): [string, string] => [titles[name] ?? name, inWords(metrics)]),
  ];
}

/** Describes the result of a run in a few lines. */
export function describeMetrics(metrics: RunMetrics): string {
  const { training, end } = metrics;
  const results: [string, string][] =
    metrics.command === 'adapt'
      ? [
          ['Before', describeMasked(metrics.before)],
          ['After', describeMasked(metrics.after)],
        ]
      : isClassification(metrics)
        ? [
            [
              'Accuracy',
              `${percent(metrics.test.accuracy)} of ${metrics.test.count} test reviews (95 % interval ${percentInterval(metrics.test.interval)})`,
            ],
            ...describeScores(metrics.test),
            ...(metrics.calibration
              ? [['Calibrated', describeCalibration(metrics.calibration)] satisfies [string, string]]
              : []),
            ...metrics.baselines.map(({ name, accuracy }): [string, string] => [
              name[0]!.toUpperCase() + name.slice(1),
              percent(accuracy),
            ]),
          ]
        : describeScoresOf(describeResult(metrics));
  const speed = `${training.samplesPerSecond.toFixed(1)} samples/s (${training.engine})`;
  return titledRows([
    ...results,
    [
      'Training',
      `${duration(training.seconds)}, ${training.step} ${training.step === 1 ? 'step' : 'steps'}, ${speed}; ${end}`,
    ],
  ]);
}

/**
 * Opens the output of a job.
 * @param json whether standard output gets the journal as JSON lines
 */
export function openOutput(json: boolean): Output {
  const interactive = !json && process.stdout.isTTY;
  const messages = json ? process.stderr : process.stdout;
  let bar: SingleBar | undefined;
  let lastLine = -Infinity;
  const stop = () => {
    bar?.stop();
    bar = undefined;
  };
  const print = (text: string) => {
    stop();
    messages.write(`${text}\n`);
  };
  const progress = (text: string, done: number, total: number, important: boolean) => {
    if (interactive) {
      if (!bar) {
        bar = new SingleBar({ format: '{bar} {text}', barsize: 20, hideCursor: true, linewrap: false, fps: 5 });
        bar.start(total, 0, { text: '' });
      }
      bar.setTotal(total);
      bar.update(done, { text });
      // An important line stays on the screen; the next update starts a new bar below it.
      if (important) stop();
    } else if (important || performance.now() - lastLine > 1000 * lineInterval) {
      print(text);
      lastLine = performance.now();
    }
  };
  return {
    entry(entry) {
      if (json) process.stdout.write(`${JSON.stringify(entry)}\n`);
      switch (entry.kind) {
        case 'note':
        case 'banner':
          print(entry.message);
          break;
        case 'warning':
          print(`Warning [${entry.code}]: ${entry.message}`);
          break;
        case 'download': {
          const isComplete = entry.received === entry.size;
          progress(describeDownload(entry), entry.received, entry.size, isComplete);
          break;
        }
        case 'step': {
          const { step, totalSteps, evalLoss } = entry;
          const important = evalLoss !== undefined || step === 1 || step === totalSteps;
          progress(describeStep(entry), step, totalSteps, important && (!interactive || step > 1));
          break;
        }
        case 'summary':
          print(`\n${describeMetrics(entry)}`);
          break;
      }
    },
    print,
    stop,
  };
}
