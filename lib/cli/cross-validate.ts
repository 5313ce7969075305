/**
 * `tunebook cross-validate`: one fine-tuning run per fold, each as `tunebook finetune --fold` in its own process and folder, then means,
 * intervals and out-of-fold predictions. Resuming skips finished folds and continues an interrupted one from its last checkpoint.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Option, type Command } from 'commander';
import { exitCodes } from '../errors.js';
import { percent, percentInterval } from '../figures/format.js';
import { tableBundle } from '../figures/html-table.js';
import {
  foldsOf,
  runOfFold,
  writeCrossValidation,
  type CrossValidation,
  type CrossValidationResult,
} from '../jobs/cross-validation.js';
import { outOfFoldFile } from '../runs/out-of-fold.js';
import { crossValidationFile, type RunFolder } from '../runs/run-folder.js';
import { configLayer } from '../settings/config-file.js';
import { foldLimits, formatFold } from '../settings/fold.js';
import { flagOf } from '../settings/setting-text.js';
import {
  environmentLayer,
  formatSetting,
  resolveSettings,
  type ResolvedSettings,
  type SettingName,
} from '../settings/settings.js';
import type { OverSeeds } from '../training/seeds.js';
import { runFinetune } from './finetune-process.js';
import { readInteger } from './integer-argument.js';
import { chooseMultirun } from './multirun.js';
import { describeConfig } from './print-config.js';
import { addSettings, flagsLayer } from './settings-flags.js';
import { settingsOf } from './training-command.js';

interface Flags {
  folds: string;
  config?: string;
  printConfig?: boolean;
  json?: boolean;
  keepModels?: boolean;
  resume?: string | true;
  runFolder?: string;
}

/** Adds the flags of `finetune` and those of a cross-validation. */
export function addCrossValidationFlags(command: Command): Command {
  addSettings(
    command,
    settingsOf('finetune').filter((setting) => setting !== 'runFolder' && setting !== 'fold'),
  );
  const run = (flags: string, description: string, standard?: string) =>
    command.addOption(new Option(flags, description).default(standard).helpGroup('Cross-validation:'));
  run('--folds <number>', `number of folds, ${foldLimits.min} to ${foldLimits.max}`, '5');
  run('--keep-models', 'keep the models and checkpoints of the folds, which are deleted otherwise');
  run('--run-folder <folder>', 'folder for the run folders (default: a new folder runs/cross-validation-TIME)');
  run('--config <file>', 'JSON or YAML file with settings of all runs');
  run('--print-config', 'print every setting of the first fold with its origin, and exit');
  run('--resume [folder]', 'resume a cross-validation (default: --run-folder, else the newest unfinished one)');
  run('--json', 'print the result as JSON; the output of the runs goes to standard error');
  return command;
}

/**
 * The settings of the first fold.
 * @throws SettingsError for an invalid setting or number of folds
 */
function settingsOfFirst(command: Command, { folds, config }: Flags): ResolvedSettings {
  readInteger('--folds', folds, foldLimits.min, foldLimits.max);
  const fold = { origin: 'command line', values: { fold: `1/${folds}` }, nameOf: flagOf };
  return resolveSettings([...(config ? [configLayer(config)] : []), environmentLayer(), flagsLayer(command), fold]);
}

/**
 * Plans the cross-validation of a command line.
 * @throws SettingsError for an invalid setting or number of folds, before any run starts
 */
function planOf(command: Command, flags: Flags): CrossValidation {
  const { settings } = settingsOfFirst(command, flags);
  const given = (Object.keys(flagsLayer(command).values) as SettingName[]).filter((setting) => setting !== 'runFolder');
  const argv = given.flatMap((setting) => [flagOf(setting), formatSetting(setting, settings[setting])]);
  return {
    folds: Number(flags.folds),
    argv: [...(flags.config ? ['--config', path.resolve(flags.config)] : []), ...argv],
    keepModels: flags.keepModels ?? false,
    startedAt: new Date().toISOString(),
  };
}

/** Whether any fold has trained. */
const hasTrained = (folder: RunFolder, plan: CrossValidation): boolean =>
  foldsOf(plan).some((fold) => runOfFold(folder, fold).hasTrained);

/**
 * Selects the cross-validation to start or to resume, and its folder.
 * @throws RunError as chooseMultirun, SettingsError as planOf
 */
const choose = (command: Command, flags: Flags): { folder: RunFolder; plan: CrossValidation } =>
  chooseMultirun<CrossValidation>(flags, {
    name: 'cross-validation',
    planFile: crossValidationFile,
    example: 'npx tunebook cross-validate --folds 5',
    onWorkers: "'npx tunebook finetune --fold' on all workers for each fold",
    read: (folder) => folder.read<CrossValidation>(crossValidationFile),
    hasTrained,
    isFinished: (folder) => fs.existsSync(folder.path('result.json')),
    plan: () => planOf(command, flags),
    resume(stored) {
      const hasFolds = command.getOptionValueSource('folds') === 'cli';
      const requested = planOf(command, { ...flags, ...(!hasFolds && { folds: String(stored.folds) }) });
      const isChanged =
        requested.folds !== stored.folds ||
        (requested.argv.length > 0 && requested.argv.join('\n') !== stored.argv.join('\n'));
      const keepModels = stored.keepModels || requested.keepModels;
      return { plan: isChanged ? requested : { ...stored, keepModels }, isChanged };
    },
    describe: ({ folds, argv }) => `--folds ${folds} ${argv.join(' ')}`,
  });

const describeMean = (mean: OverSeeds | null, text: (value: number) => string): string =>
  mean ? `${text(mean.mean)} (${text(mean.interval.low)} to ${text(mean.interval.high)})` : '–';

/** The result as a table with one row per fold, the means with their intervals, and the pooled predictions. */
function describeResult({ folds, means, pooled }: CrossValidationResult): string {
  const decimals = (value: number) => value.toFixed(3);
  const row = (fold: string, { count, accuracy, macro, loss }: CrossValidationResult['pooled']) => ({
    fold,
    reviews: String(count),
    accuracy: percent(accuracy),
    'macro F1': decimals(macro.f1),
    'ROC AUC': macro.rocAuc === null ? '–' : decimals(macro.rocAuc),
    loss: decimals(loss),
  });
  return [
    tableBundle([...folds.map((metrics, i) => row(String(i + 1), metrics)), row('pooled', pooled)])['text/plain'],
    '',
    `Mean over the folds, with a 95 % interval by Student's t: accuracy ${
      means.accuracy ? `${percent(means.accuracy.mean)} (${percentInterval(means.accuracy.interval)})` : '–'
    }, macro F1 ${describeMean(means.macroF1, decimals)}, ROC AUC ${describeMean(means.rocAuc, decimals)}, loss ${describeMean(means.loss, decimals)}.`,
    'The folds share training reviews and are not independent, so the intervals tend to be too narrow.',
  ].join('\n');
}

/** Executes a cross-validation until it is finished, a fold fails or a signal stops it, and sets the exit code. */
export async function crossValidate(command: Command): Promise<void> {
  const flags = command.opts<Flags>();
  if (flags.printConfig) {
    console.log(describeConfig(settingsOf('finetune'), settingsOfFirst(command, flags), flags.json));
    return;
  }
  const { folder, plan } = choose(command, flags);
  const existed = fs.existsSync(folder.folder);
  folder.write(crossValidationFile, plan);
  const print = (text: string) => (flags.json ? console.error : console.log)(text);
  print(`Cross-validation ${folder.folder}: ${plan.folds} folds`);
  for (const fold of foldsOf(plan)) {
    const run = runOfFold(folder, fold);
    if (!run.isFinished) {
      print(`\nFold ${formatFold(fold)}`);
      const exitCode = await runFinetune(
        [...plan.argv, flagOf('fold'), formatFold(fold)],
        run.folder,
        flags.json ? 'stderr' : 'stdout',
      );
      if (exitCode !== exitCodes.done) {
        process.exitCode = exitCode;
        if (hasTrained(folder, plan))
          print(
            `\nFold ${formatFold(fold)} ended with exit code ${exitCode}. Resume with: npx tunebook cross-validate --resume ${folder.folder}`,
          );
        else {
          fs.rmSync(folder.path(crossValidationFile), { force: true });
          if (!existed) fs.rmdirSync(folder.folder);
        }
        return;
      }
    }
    if (!plan.keepModels)
      for (const name of ['model', 'checkpoints']) fs.rmSync(run.path(name), { recursive: true, force: true });
  }
  const result = writeCrossValidation(folder, plan);
  print(`\n${describeResult(result)}\nOut-of-fold predictions: ${folder.path(outOfFoldFile)}`);
  if (flags.json) console.log(JSON.stringify({ folder: folder.folder, ...result }));
}
