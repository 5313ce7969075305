/**
 * `npm start`: executes notebooks/finetune.ipynb headlessly, shows its progress and prints a short summary. Each
 * setting is a flag. By default, the embedded model and reviews are used.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { CellError, InterruptedError, NotebookError } from '../errors.js';
import { openModel } from '../model/fetch-model.js';
import { root } from '#setup/paths.mjs';
import { executeNotebook } from '../notebook/execute.js';
import { isFileName, openReviews } from '../reviews/open-reviews.js';
import { journalFile, parseEntry } from '../runs/journal.js';
import type { RunMetrics } from '../runs/metrics.js';
import { newRunFolder } from '../runs/run-folder.js';
import { duration } from '../figures/format.js';
import { fastDevRun } from '../settings/schema.js';
import {
  describeSetting,
  environmentLayer,
  resolveSettings,
  settingsList,
  type SettingName,
  type SettingsLayer,
  type Settings,
} from '../settings/settings.js';
import { commandLineError, throwErrors } from './command-line-error.js';
import { describeMetrics, openOutput, titledRows } from './output.js';
import { describeConfig } from './print-config.js';
import { reportError } from './report-error.js';
import { addSettings, flagsLayer, normalizeFlags } from './settings-flags.js';
import { flagOf, useSettingForm } from '../settings/setting-text.js';

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

/** The values of some settings, without those that are not set. */
const pick = (values: SettingsLayer['values'], names: SettingName[]) =>
  Object.fromEntries(names.filter((name) => values[name] !== undefined).map((name) => [name, values[name]]));

/** Opens the model and the reviews, so that a wrong name, path or column is an error before the notebook starts. */
async function checkInputs(settings: Settings): Promise<void> {
  const [model, dataset] = [settings.model, settings.dataset].map((name) => name && toAbsolute(name));
  if (model) await openModel(model);
  if (dataset && dataset !== 'embedded' && isFileName(dataset)) await openReviews(dataset, settings);
}

/**
 * Parses and validates the command line.
 * @returns environment variables for the notebook
 */
async function environmentOfFlags(): Promise<Record<string, string>> {
  const command = throwErrors(new Command('npm start --'))
    .description('Fine-tune DistilBERT on reviews by executing notebooks/finetune.ipynb.')
    .addHelpText(
      'after',
      '\nEvery flag can also be an environment variable, in JupyterLab too: TUNEBOOK_MODEL is --model.',
    );
  // This command sets the run folder itself. The notebook trains a classifier, and does not overfit batches that the settings select.
  const available = settingsList.filter(
    ({ name, only }) => !['runFolder', 'overfitBatches', 'problemType'].includes(name) && only !== 'adapt',
  );
  const names = available.map(({ name }) => name);
  const defaults = { source: 'embedded' } as const;
  addSettings(command, names, defaults);
  command.option('--print-config', 'print every setting with its origin, and exit');
  const argv = process.argv.slice(2);
  try {
    command.parse(normalizeFlags(argv), { from: 'user' });
  } catch (error) {
    throw commandLineError(error, command, argv);
  }
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
    // Also from the environment, since their paths are relative to this folder.
    ...pick(environment.values, ['model', 'dataset']),
    ...flags.values,
  };
  return Object.fromEntries(
    (Object.entries(values) as [SettingName, unknown][]).map(([setting, value]) => [
      describeSetting(setting).variable,
      ['model', 'dataset'].includes(setting) ? toAbsolute(String(value)) : String(value),
    ]),
  );
}

useSettingForm('flag');
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
const readNewLines = tailLines(path.join(runFolder, journalFile));
const output = openOutput(false);
let result: RunMetrics | undefined;

/** Shows the journal entries written since the last call. */
function readJournal(): void {
  for (const line of readNewLines()) {
    const entry = parseEntry(line);
    if (entry?.kind === 'summary') result = entry;
    else if (entry) output.entry(entry);
  }
}

const timer = setInterval(readJournal, 300);
try {
  await executeNotebook(path.join(notebooks, 'finetune.ipynb'), {
    executed,
    report: path.join(runFolder, 'finetune.html'),
    // Relative to the folder of the notebook, where the kernel runs; the same on every machine.
    environment: {
      ...flags,
      TUNEBOOK_RUN_FOLDER: path.relative(notebooks, runFolder),
      TUNEBOOK_SETTING_FORM: 'flag',
    },
    onInterrupt() {
      output.print('\nTraining stops after this step; the remaining cells still run. Ctrl-C again stops at once.');
    },
    onEvent(event) {
      if (event.event !== 'cell') return;
      readJournal();
      output.print(`[cell ${event.cell}/${event.cells}] ${event.first.slice(0, 90)}`);
    },
  });
  readJournal();
  if (!result)
    throw new NotebookError('NOTEBOOK_NO_RESULT', 'finetune.ipynb ended without writing a result to its journal.', {
      notebook: executed,
    });
  output.print(`\n${result.sources}\n\n${describeMetrics(result)}`);
  output.print(
    titledRows([
      ['Time', `${duration((performance.now() - started) / 1000)} in total`],
      ['Model', path.relative(process.cwd(), path.join(runFolder, 'model'))],
      ['Notebook', path.relative(process.cwd(), executed)],
      ['Report', path.relative(process.cwd(), path.join(runFolder, 'report.html'))],
    ]),
  );
  if (result.end === 'interrupted') {
    output.print('\nTraining was interrupted: these are the results of the model at that point.');
    process.exitCode = 130;
  }
} catch (error) {
  output.stop();
  console.error();
  reportError(error);
  if ((error instanceof CellError || error instanceof InterruptedError) && fs.existsSync(executed))
    console.error(`\nPartially executed notebook: ${path.relative(process.cwd(), executed)}`);
} finally {
  clearInterval(timer);
}
