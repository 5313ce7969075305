/**
 * `npm start`: executes notebooks/finetune.ipynb headlessly, shows its progress and prints a short summary. Each
 * setting is a flag. By default, the embedded model and reviews are used.
 */
import fs from 'node:fs';
import path from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { CellError, InterruptedError } from '../errors.js';
import { fetchModel } from '../hub/model.js';
import { isRepositoryName } from '../hub/repository.js';
import { readModelConfig } from '../model/config.js';
import { executeNotebook, root } from '../notebook/execute.js';
import { describeDownload } from '../notebook/downloads.js';
import { describeRecord } from '../notebook/progress.js';
import { isFileName, openReviews } from '../reviews/open-reviews.js';
import { parseEntry, type NotebookResult } from '../runs/journal.js';
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
import { describeConfig } from './print-config.js';
import { reportError } from './report-error.js';
import { addSettings, flagOf, flagsLayer, normalizeFlags } from './settings-flags.js';

/** Creates a function that reads the complete lines added to a file since its last call. */
function tailLines(file: string): () => string[] {
  let offset = 0;
  return () => {
    if (!fs.existsSync(file)) return [];
    const text = fs.readFileSync(file).subarray(offset);
    const end = text.lastIndexOf(10) + 1;
    offset += end;
    return text.subarray(0, end).toString('utf8').split('\n').filter(Boolean);
  };
}

/** The absolute path of an existing file, since the kernel runs in another folder. Other values are unchanged. */
function toAbsolute(value: string): string {
  const file = path.resolve(process.env['INIT_CWD'] ?? process.cwd(), value);
  return fs.existsSync(file) ? file : value;
}

/** Opens the model and the reviews, so that a wrong name, path or column is an error before the notebook starts. */
async function checkInputs(settings: Settings): Promise<void> {
  const [model, dataset] = [settings.model, settings.dataset].map((name) => name && toAbsolute(name));
  if (model && model !== 'embedded') {
    if (fs.existsSync(model)) readModelConfig(model);
    else if (!isRepositoryName(model)) await fetchModel(model);
  }
  if (dataset && dataset !== 'embedded' && isFileName(dataset)) await openReviews(dataset, settings);
}

/**
 * Parses and validates the command line.
 * @returns environment variables for the notebook
 */
async function environmentOfFlags(): Promise<Record<string, string>> {
  const command = new Command('npm start --')
    .description('Fine-tune DistilBERT on reviews by executing notebooks/finetune.ipynb.')
    .addHelpText(
      'after',
      '\nEvery flag can also be an environment variable, in JupyterLab too: TUNEBOOK_MODEL is --model.',
    );
  // This command sets the run folder itself.
  const available = settingsList.filter(({ name, only }) => name !== 'runFolder' && !only);
  const names = available.map(({ name }) => name);
  const defaults = { source: 'embedded' } as const;
  addSettings(command, names, defaults);
  command.option('--print-config', 'print every setting with its origin, and exit');
  command.exitOverride().parse(normalizeFlags(process.argv));
  const flags = flagsLayer(command);
  const environment = environmentLayer();
  // Validates all settings before the notebook starts.
  const defaultsLayer = { origin: 'npm start', values: defaults, nameOf: flagOf };
  const resolved = resolveSettings([defaultsLayer, environment, flags], fastDevRun.notebook);
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
      ['model', 'dataset'].includes(setting) ? toAbsolute(String(value)) : String(value),
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
const readNewLines = tailLines(path.join(runFolder, 'journal.jsonl'));
const interactive = process.stdout.isTTY;
let bar: SingleBar | undefined;
let result: NotebookResult | undefined;
let lastLine = 0;

/** Shows progress: a bar on a terminal, else a line every 5 s and for each important step. */
function showProgress(text: string, done: number, total: number, important: boolean): void {
  if (interactive) {
    if (!bar) {
      bar = new SingleBar({ format: '  {bar} {text}', barsize: 24, hideCursor: true });
      bar.start(total, 0, { text: '' });
    }
    bar.setTotal(total);
    bar.update(done, { text });
  } else if (important || performance.now() - lastLine > 5000) {
    console.log(`  ${text}`);
    lastLine = performance.now();
  }
}

/** Shows the journal entries written since the last call. */
function readJournal(): void {
  for (const line of readNewLines()) {
    const entry = parseEntry(line);
    if (entry?.kind === 'result') result = entry;
    else if (entry?.kind === 'banner') console.log(`  ${entry.message}`);
    else if (entry?.kind === 'download')
      showProgress(describeDownload(entry), entry.received, entry.size, entry.received === entry.size);
    else if (entry?.kind === 'step') {
      const { step, totalSteps, evalAccuracy } = entry;
      const accuracy = evalAccuracy === undefined ? '' : `, validation accuracy ${percent(evalAccuracy)}`;
      showProgress(describeRecord(entry) + accuracy, step, totalSteps, evalAccuracy !== undefined);
    }
  }
}

const timer = setInterval(readJournal, 300);
try {
  await executeNotebook(path.join(notebooks, 'finetune.ipynb'), {
    executed,
    report,
    // Relative to the folder of the notebook, where the kernel runs; the same on every machine.
    environment: { ...flags, TUNEBOOK_RUN_FOLDER: path.relative(notebooks, runFolder) },
    onInterrupt() {
      bar?.stop();
      bar = undefined;
      console.log('\nTraining stops after this step; the remaining cells still run. Ctrl-C again stops at once.');
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
  if (!result) throw new Error('The notebook ended without a result in its journal.');
  console.log(`
Model and reviews  ${result.sources}
Held-out accuracy  ${percent(result.accuracy)} (95 % interval ${percent(result.interval.low)} to ${percent(result.interval.high)}, ${result.count} reviews)
Bag of words       ${percent(result.baseline.accuracy)}
Time               ${duration((performance.now() - started) / 1000)}, training ${result.samplesPerSecond.toFixed(1)} samples/s (${result.engine}), ${(100 * result.dataWaitFraction).toFixed(2)} % of it waiting for data
Model              ${path.relative(process.cwd(), path.resolve(notebooks, result.modelFolder))}
Notebook           ${path.relative(process.cwd(), executed)}
Report             ${path.relative(process.cwd(), report)}`);
  if (result.end === 'interrupted') {
    console.log('\nTraining was interrupted: these are the results of the model at that point.');
    process.exitCode = 130;
  }
} catch (error) {
  bar?.stop();
  console.error();
  reportError(error);
  if ((error instanceof CellError || error instanceof InterruptedError) && fs.existsSync(executed))
    console.error(`\nPartially executed notebook: ${path.relative(process.cwd(), executed)}`);
} finally {
  clearInterval(timer);
}
