/**
 * What a job says while it works: on a terminal a bar that moves, in a file plain lines now and then, and for machines its
 * journal, one JSON object a line, with all words for people on standard error.
 */
import { SingleBar } from 'cli-progress';
import type { DownloadProgress } from '../hub/download.js';
import { describeDownload } from '../notebook/downloads.js';
import { describeRecord } from '../notebook/progress.js';
import type { RunMetrics } from '../runs/metrics.js';
import { percent, percentInterval, duration, size } from '../figures/format.js';
import type { JournalEntry } from '../runs/journal.js';
import type { TrainingRecord } from '../training/training-record.js';

export interface Output {
  /** An entry of the journal. */
  entry(entry: JournalEntry): void;
  /** Words for people. */
  say(words: string): void;
  /** Gives the terminal back. */
  stop(): void;
}

/** Seconds between two plain lines on training. */
const pauseSeconds = 10;

/** One update in a line. */
function describeUpdate(record: TrainingRecord & { memoryBytes?: number }): string {
  const looked =
    record.evalLoss === undefined
      ? ''
      : `, validation loss ${record.evalLoss.toFixed(3)}, accuracy ${percent(record.evalAccuracy!)}`;
  return describeRecord(record) + (record.memoryBytes ? `, ${size(record.memoryBytes)}` : '') + looked;
}

/** What came out of a run, in a few lines. */
export function describeMetrics(metrics: RunMetrics): string {
  const { training, rows } = metrics;
  const lines =
    metrics.command === 'finetune'
      ? [
          [
            'Accuracy',
            `${percent(metrics.test.accuracy)} of ${rows.test} test reviews (95 % interval ${percentInterval(metrics.test.interval)})`,
          ],
          ...metrics.baselines.map(({ name, accuracy }) => [name[0]!.toUpperCase() + name.slice(1), percent(accuracy)]),
        ]
      : [
          [
            'Before',
            `perplexity ${metrics.before.perplexity.toFixed(2)}, loss ${metrics.before.loss.toFixed(4)}, ${percent(metrics.before.accuracy)} of masked tokens guessed`,
          ],
          [
            'After',
            `perplexity ${metrics.after.perplexity.toFixed(2)}, loss ${metrics.after.loss.toFixed(4)}, ${percent(metrics.after.accuracy)}`,
          ],
        ];
  lines.push([
    'Training',
    `${duration(training.seconds)}, ${training.step} updates, ${training.samplesPerSecond.toFixed(1)} samples/s (${training.engine}); ${metrics.end}`,
  ]);
  return lines.map(([what, value]) => `${what!.padEnd(13)}${value}`).join('\n');
}

/** @param json for machines */
export function openOutput(json: boolean): Output {
  const interactive = !json && process.stdout.isTTY;
  const words = json ? process.stderr : process.stdout;
  let bar: SingleBar | undefined;
  let spoken = -Infinity;
  const stop = () => {
    bar?.stop();
    bar = undefined;
  };
  const say = (text: string) => {
    stop();
    words.write(`${text}\n`);
  };
  const progress = (text: string, done: number, all: number, important: boolean) => {
    if (interactive) {
      if (!bar) {
        bar = new SingleBar({ format: '{bar} {words}', barsize: 20, hideCursor: true, linewrap: false, fps: 5 });
        bar.start(all, 0, { words: '' });
      }
      bar.setTotal(all);
      bar.update(done, { words: text });
      // What is worth keeping stays above the bar.
      if (important) stop();
    } else if (important || performance.now() - spoken > 1000 * pauseSeconds) {
      say(text);
      spoken = performance.now();
    }
  };
  return {
    entry(entry) {
      if (json) process.stdout.write(`${JSON.stringify(entry)}\n`);
      switch (entry.kind) {
        case 'note':
        case 'banner':
          say(entry['words'] as string);
          break;
        case 'download': {
          const download = entry as unknown as DownloadProgress;
          const whole = download.received === download.size;
          progress(describeDownload(download), download.received, download.size, whole);
          break;
        }
        case 'step': {
          const record = entry as unknown as TrainingRecord;
          const important = record.evalLoss !== undefined || record.step === 1 || record.step === record.totalSteps;
          progress(
            describeUpdate(record),
            record.step,
            record.totalSteps,
            important && (!interactive || record.step > 1),
          );
          break;
        }
        case 'summary':
          say(`\n${describeMetrics(entry as unknown as RunMetrics)}`);
          break;
      }
    },
    say,
    stop,
  };
}
