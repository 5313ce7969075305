/** `npm start`: the main job. Runs notebooks/finetune.ipynb headlessly, shows how it goes, and ends with a short summary. */
import fs from 'node:fs';
import path from 'node:path';
import { SingleBar } from 'cli-progress';
import { CellError, executeNotebook, InterruptedError, root } from '../notebook/execute.js';
import { describeRecord, duration } from '../notebook/progress.js';
import type { Interval } from '../training/metrics.js';
import type { EndOfTraining, TrainingRecord } from '../training/train.js';

interface Summary {
  baseline: { accuracy: number };
  accuracy: number;
  interval: Interval;
  count: number;
  samplesPerSecond: number;
  engine: string;
  modelFolder: string;
  end: EndOfTraining;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Reads what has been added to a file since the last call, whole lines only. */
function follow(file: string): () => string[] {
  let offset = 0;
  return () => {
    if (!fs.existsSync(file)) return [];
    const text = fs.readFileSync(file).subarray(offset);
    const end = text.lastIndexOf(10) + 1;
    offset += end;
    return text.subarray(0, end).toString('utf8').split('\n').filter(Boolean);
  };
}

const started = performance.now();
const notebooks = path.join(root, 'notebooks');
const runFolder = path.join(root, 'runs', new Date().toISOString().replace(/[:.]/g, '-').slice(0, 19));
fs.mkdirSync(runFolder, { recursive: true });
const executed = path.join(runFolder, 'finetune.ipynb');
const report = path.join(runFolder, 'report.html');
const journal = follow(path.join(runFolder, 'journal.jsonl'));
const interactive = process.stdout.isTTY;
let bar: SingleBar | undefined;
let summary: Summary | undefined;
let spoken = 0;

function readJournal(): void {
  for (const line of journal()) {
    const entry = JSON.parse(line) as { kind: string };
    if (entry.kind === 'summary') summary = entry as unknown as Summary;
    if (entry.kind !== 'step') continue;
    const record = entry as unknown as TrainingRecord;
    const words =
      describeRecord(record) +
      (record.evalAccuracy === undefined ? '' : `, validation accuracy ${percent(record.evalAccuracy)}`);
    if (interactive) {
      if (!bar) {
        bar = new SingleBar({ format: '  {bar} {words}', barsize: 24, hideCursor: true });
        bar.start(record.totalSteps, 0, { words: '' });
      }
      bar.update(record.step, { words });
    } else if (record.evalAccuracy !== undefined || performance.now() - spoken > 5000) {
      console.log(`  ${words}`);
      spoken = performance.now();
    }
  }
}

const timer = setInterval(readJournal, 300);
try {
  await executeNotebook(path.join(notebooks, 'finetune.ipynb'), {
    executed,
    report,
    // As the kernel sees it, which runs beside the notebook; the same on every machine.
    environment: { TUNEBOOK_RUN_FOLDER: path.relative(notebooks, runFolder) },
    onInterrupt() {
      bar?.stop();
      bar = undefined;
      console.log('\nTraining ends after this step, and what follows it is run. Ctrl-C again ends everything at once.');
    },
    onEvent(event) {
      if (event.event !== 'cell') return;
      readJournal();
      bar?.stop();
      bar = undefined;
      console.log(`[cell ${event.cell}/${event.cells}] ${event.first.slice(0, 90)}`);
    },
  });
  readJournal();
  bar?.stop();
  if (!summary) throw new Error('The notebook ended without writing a summary to its journal.');
  console.log(`
Held-out accuracy  ${percent(summary.accuracy)} (95 % interval ${percent(summary.interval.low)} to ${percent(summary.interval.high)}, ${summary.count} reviews)
Bag of words       ${percent(summary.baseline.accuracy)}
Time               ${duration((performance.now() - started) / 1000)}, training ${summary.samplesPerSecond.toFixed(1)} samples/s (${summary.engine})
Model              ${path.relative(process.cwd(), path.resolve(notebooks, summary.modelFolder))}
Notebook           ${path.relative(process.cwd(), executed)}
Report             ${path.relative(process.cwd(), report)}`);
  if (summary.end === 'interrupted') {
    console.log('\nTraining was ended early by an interrupt: these are the figures of the model as it was by then.');
    process.exitCode = 130;
  }
} catch (error) {
  bar?.stop();
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  if ((error instanceof CellError || error instanceof InterruptedError) && fs.existsSync(executed))
    console.error(`\nWhat was run so far: ${path.relative(process.cwd(), executed)}`);
  process.exitCode = error instanceof InterruptedError ? 130 : 1;
} finally {
  clearInterval(timer);
}
