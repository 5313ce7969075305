/**
 * `npm start`: the main job. Runs notebooks/finetune.ipynb headlessly, shows how it goes, and ends with a short summary.
 * Each setting is a flag; where none says otherwise, model and reviews are the embedded ones.
 */
import fs from 'node:fs';
import path from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { CellError, InterruptedError } from '../errors.js';
import type { DownloadProgress } from '../hub/download.js';
import { fetchModel } from '../hub/model.js';
import { isRepositoryName } from '../hub/repository.js';
import { readModelConfig } from '../model/config.js';
import { executeNotebook, root } from '../notebook/execute.js';
import { describeDownload } from '../notebook/downloads.js';
import { describeRecord } from '../notebook/progress.js';
import { isFileName, openReviews } from '../reviews/open-reviews.js';
import { newRunFolder } from '../runs/run-folder.js';
import { percent, duration } from '../figures/format.js';
import { fastDevRun } from '../settings/schema.js';
import {
  describeSetting,
  environmentLayer,
  resolveSettings,
  settingsList,
  type SettingName,
  type Settings,
} from '../settings/settings.js';
import type { Interval } from '../evaluation/metrics.js';
import type { EndOfTraining, TrainingRecord } from '../training/training-record.js';
import { describeConfig } from './print-config.js';
import { reportError } from './report-error.js';
import { addSettings, flagOf, flagsLayer, normalizeFlags } from './settings-flags.js';

interface Summary {
  baseline: { accuracy: number };
  accuracy: number;
  interval: Interval;
  count: number;
  samplesPerSecond: number;
  dataWaitFraction: number;
  engine: string;
  modelFolder: string;
  end: EndOfTraining;
  sources: string;
}

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

/** A path of this machine as the kernel must be told it, which runs elsewhere; what is none stays as it is. */
function fromHere(value: string): string {
  const file = path.resolve(process.env['INIT_CWD'] ?? process.cwd(), value);
  return fs.existsSync(file) ? file : value;
}

/** Opens a model and reviews that lie on this machine, so that a wrong path or column is refused before the notebook starts. */
async function checkInputs(settings: Settings): Promise<void> {
  const [model, dataset] = [settings.model, settings.dataset].map((name) => name && fromHere(name));
  if (model && model !== 'embedded') {
    if (fs.existsSync(model)) readModelConfig(model);
    else if (!isRepositoryName(model)) await fetchModel(model);
  }
  if (dataset && dataset !== 'embedded' && isFileName(dataset)) await openReviews(dataset, settings);
}

/** What the command line says, as the environment variables that the notebook reads. */
async function environmentOfFlags(): Promise<Record<string, string>> {
  const command = new Command('npm start --')
    .description('Fine-tunes a DistilBERT on reviews, as notebooks/finetune.ipynb does.')
    .addHelpText(
      'after',
      '\nEach flag has an environment variable, TUNEBOOK_MODEL for --model, which the notebook reads in JupyterLab too.',
    );
  // The run's folder is this command's own.
  const offered = settingsList.filter(({ name, only }) => name !== 'runFolder' && !only);
  const names = offered.map(({ name }) => name);
  const defaults = { source: 'embedded' } as const;
  addSettings(command, names, defaults);
  command.option('--print-config', 'shows every setting and where it came from, and does nothing else');
  command.exitOverride().parse(normalizeFlags(process.argv));
  const flags = flagsLayer(command);
  const environment = environmentLayer();
  // Refused here, before anything is started.
  const own = { origin: 'npm start', values: defaults, nameOf: flagOf };
  const resolved = resolveSettings([own, environment, flags], fastDevRun.notebook);
  if (command.opts<{ printConfig?: boolean }>().printConfig) {
    console.log(describeConfig(names, resolved));
    process.exit(0);
  }
  await checkInputs(resolved.settings);
  const values: Partial<Record<SettingName, unknown>> = {
    ...(environment.values.source === undefined && defaults),
    ...flags.values,
  };
  return Object.fromEntries(
    (Object.entries(values) as [SettingName, unknown][]).map(([setting, value]) => [
      describeSetting(setting).variable,
      ['model', 'dataset'].includes(setting) ? fromHere(String(value)) : String(value),
    ]),
  );
}

let flags: Record<string, string>;
let runFolder: string;
try {
  flags = await environmentOfFlags();
  runFolder = newRunFolder(path.join(root, 'runs'));
} catch (error) {
  reportError(error);
  process.exit();
}

const started = performance.now();
const notebooks = path.join(root, 'notebooks');
const executed = path.join(runFolder, 'finetune.ipynb');
const report = path.join(runFolder, 'report.html');
const journal = follow(path.join(runFolder, 'journal.jsonl'));
const interactive = process.stdout.isTTY;
let bar: SingleBar | undefined;
let summary: Summary | undefined;
let spoken = 0;

/** A line that changes on a terminal; elsewhere now and then one more. */
function say(words: string, done: number, all: number, important: boolean): void {
  if (interactive) {
    if (!bar) {
      bar = new SingleBar({ format: '  {bar} {words}', barsize: 24, hideCursor: true });
      bar.start(all, 0, { words: '' });
    }
    bar.setTotal(all);
    bar.update(done, { words });
  } else if (important || performance.now() - spoken > 5000) {
    console.log(`  ${words}`);
    spoken = performance.now();
  }
}

function readJournal(): void {
  for (const line of journal()) {
    const entry = JSON.parse(line) as { kind: string };
    if (entry.kind === 'summary') summary = entry as unknown as Summary;
    if (entry.kind === 'banner') console.log(`  ${(entry as unknown as { words: string }).words}`);
    if (entry.kind === 'download') {
      const progress = entry as unknown as DownloadProgress;
      say(describeDownload(progress), progress.received, progress.size, progress.received === progress.size);
    }
    if (entry.kind !== 'step') continue;
    const record = entry as unknown as TrainingRecord;
    const words =
      describeRecord(record) +
      (record.evalAccuracy === undefined ? '' : `, validation accuracy ${percent(record.evalAccuracy)}`);
    say(words, record.step, record.totalSteps, record.evalAccuracy !== undefined);
  }
}

const timer = setInterval(readJournal, 300);
try {
  await executeNotebook(path.join(notebooks, 'finetune.ipynb'), {
    executed,
    report,
    // As the kernel sees it, which runs beside the notebook; the same on every machine.
    environment: { ...flags, TUNEBOOK_RUN_FOLDER: path.relative(notebooks, runFolder) },
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
Model and reviews  ${summary.sources}
Held-out accuracy  ${percent(summary.accuracy)} (95 % interval ${percent(summary.interval.low)} to ${percent(summary.interval.high)}, ${summary.count} reviews)
Bag of words       ${percent(summary.baseline.accuracy)}
Time               ${duration((performance.now() - started) / 1000)}, training ${summary.samplesPerSecond.toFixed(1)} samples/s (${summary.engine}), ${(100 * summary.dataWaitFraction).toFixed(2)} % of it waiting for data
Model              ${path.relative(process.cwd(), path.resolve(notebooks, summary.modelFolder))}
Notebook           ${path.relative(process.cwd(), executed)}
Report             ${path.relative(process.cwd(), report)}`);
  if (summary.end === 'interrupted') {
    console.log('\nTraining was ended early by an interrupt: these are the figures of the model as it was by then.');
    process.exitCode = 130;
  }
} catch (error) {
  bar?.stop();
  console.error();
  reportError(error);
  if ((error instanceof CellError || error instanceof InterruptedError) && fs.existsSync(executed))
    console.error(`\nWhat was run so far: ${path.relative(process.cwd(), executed)}`);
} finally {
  clearInterval(timer);
}
