/**
 * `tunebook sweep`: one run after the other, each as `tunebook finetune` in its own process and folder. A failed run
 * does not affect the others. A resumed sweep skips finished runs and resumes an interrupted run from its last
 * checkpoint.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Option, type Command } from 'commander';
import { RunError, SettingsError, exitCodes, type EndingSignal } from '../errors.js';
import { tableBundle } from '../figures/html-table.js';
import { findSweeps, newRunFolder, RunFolder } from '../runs/run-folder.js';
import {
  combinationsOf,
  describeValues,
  sweepResult,
  valuesOf,
  type Combination,
  type Grid,
  type Spread,
  type Sweep,
  type SweepResult,
} from '../jobs/sweep.js';
import { forwardSignals } from '../signals.js';
import { percent } from '../figures/format.js';
import { describeSetting, environmentLayer, resolveSettings, type SettingName } from '../settings/settings.js';
import { clusterOfEnvironment } from '../distributed/cluster-definition.js';
import { mlflowOfEnvironment, type MlflowSettings } from '../tracking/mlflow-client.js';
import { SweepRun, trackingFile } from '../tracking/sweep-run.js';
import { configLayer } from '../settings/config-file.js';
import { addSettings, flagsLayer } from './settings-flags.js';
import { flagOf } from '../settings/setting-text.js';
import { settingsOf } from './training-command.js';
import { mainProgram } from './main-program.js';

/** File in the folder of a sweep that contains its plan. */
const sweepFile = 'sweep.json';

interface Flags {
  config?: string;
  printConfig?: boolean;
  json?: boolean;
  resume?: string | true;
  runFolder?: string;
}

/** Adds the flags of `finetune`, each with one or several values separated by commas, and those of a sweep. */
export function addSweepFlags(command: Command): Command {
  addSettings(
    command,
    settingsOf('finetune').filter((setting) => setting !== 'runFolder'),
  );
  const run = (flags: string, description: string) =>
    command.addOption(new Option(flags, description).helpGroup('Sweep:'));
  run('--run-folder <folder>', 'folder for the run folders (default: a new folder runs/sweep-TIME)');
  run('--config <file>', 'JSON or YAML file with settings of all runs');
  run('--print-config', 'print the settings in which the runs differ, and exit');
  run('--resume [sweep]', 'resume a sweep (default: --run-folder, else the newest unfinished sweep)');
  run('--json', 'print the journals of the runs and then the result, one JSON object per line');
  return command;
}

/**
 * Plans the sweep of a command line.
 * @throws SettingsError if any combination is invalid, before any run starts
 */
function planSweep(command: Command, { config }: Flags): Sweep {
  const { values } = flagsLayer(command);
  const grid: Grid = {};
  const argv: string[] = config ? ['--config', path.resolve(config)] : [];
  for (const [setting, value] of Object.entries(values) as [SettingName, string | boolean][]) {
    if (setting === 'runFolder') continue;
    const several = valuesOf(setting, String(value));
    if (several.length === 1) argv.push(flagOf(setting), several[0]!);
    else if (new Set(several).size < several.length)
      throw new SettingsError(
        'SETTING_REPEATED',
        `${flagOf(setting)} contains a value twice: ${several.join(',')}. Remove the duplicate.`,
        { names: [flagOf(setting)], values: several },
      );
    else if (describeSetting(setting).neutral)
      throw new SettingsError(
        'SETTING_INVALID',
        `${flagOf(setting)} does not affect the result of training. Give it one value instead of ${several.join(',')}.`,
        { name: flagOf(setting), value: several },
      );
    else grid[setting] = several;
  }
  if (Object.keys(grid).length === 0)
    throw new SettingsError(
      'SETTING_MISSING',
      'A sweep needs a setting with several values, separated by commas: --lr 1e-5,3e-5,5e-5 --seed 1,2,3. ' +
        'For a single run, use npx tunebook finetune.',
    );
  const layers = [...(config ? [configLayer(config)] : []), environmentLayer(), flagsLayer(command)];
  for (const combination of combinationsOf(grid)) {
    const layer = { origin: 'command line', values: combination.values, nameOf: flagOf };
    resolveSettings([...layers.slice(0, -1), withoutGrid(layers.at(-1)!, grid), layer]);
  }
  return { grid, argv, startedAt: new Date().toISOString() };
}

const withoutGrid = (layer: ReturnType<typeof flagsLayer>, grid: Grid) => ({
  ...layer,
  values: Object.fromEntries(Object.entries(layer.values).filter(([setting]) => !(setting in grid))),
});

const readSweep = (folder: RunFolder) => folder.read<Sweep>(sweepFile);

/** Whether any run of a sweep has trained. Until then, another sweep, such as a corrected one, may replace it. */
const hasTrained = (folder: RunFolder, { grid }: Sweep): boolean =>
  combinationsOf(grid).some(({ name }) => new RunFolder(folder.path(name)).hasTrained);

/** The newest unfinished sweep of which at least one run has trained. */
const newestUnfinished = () =>
  findSweeps().findLast((folder) => {
    const sweep = readSweep(folder)!;
    return hasTrained(folder, sweep) && sweepResult(folder.folder, sweep).runs.some(({ metrics }) => !metrics);
  });

/** Selects the sweep to start or to resume, and its folder. */
function chooseSweep(command: Command, flags: Flags): { folder: RunFolder; sweep: Sweep } {
  const named = flags.runFolder ? new RunFolder(flags.runFolder) : undefined;
  const existing = named && readSweep(named);
  if (flags.resume === undefined || (flags.resume === true && named && !existing)) {
    if (existing && hasTrained(named, existing))
      throw new RunError(
        'RUN_EXISTS',
        `${named.folder} already contains a sweep. ` +
          'Resume it with --resume, or choose another folder with --run-folder.',
        { folder: named.folder },
      );
    const sweep = planSweep(command, flags);
    return { folder: named ?? new RunFolder(newRunFolder('runs', 'sweep-')), sweep };
  }
  const folder = typeof flags.resume === 'string' ? new RunFolder(flags.resume) : (named ?? newestUnfinished());
  const sweep = folder && readSweep(folder);
  if (!folder || !sweep)
    throw new RunError(
      folder ? 'RUN_NOT_A_RUN' : 'RUN_NOT_FOUND',
      folder
        ? `${folder.folder} is not a sweep: it has no ${sweepFile}. Give the folder of a sweep to --resume.`
        : 'There is no unfinished sweep in runs/. Start one: npx tunebook sweep --lr 1e-5,3e-5 --seed 1,2,3',
      { folder: folder?.folder ?? 'runs' },
    );
  const { values } = flagsLayer(command);
  if (Object.keys(values).some((setting) => setting !== 'runFolder')) {
    const requested = planSweep(command, flags);
    if (JSON.stringify([requested.grid, requested.argv]) === JSON.stringify([sweep.grid, sweep.argv]))
      return { folder, sweep };
    if (!hasTrained(folder, sweep)) return { folder, sweep: requested };
    throw new RunError(
      'RUN_SETTINGS_CHANGED',
      `${folder.folder} was started with other settings: ${[...sweep.argv, ...gridFlags(sweep.grid)].join(' ')}. ` +
        'Resume it with the same settings or without any, or start another sweep.',
      { folder: folder.folder },
    );
  }
  return { folder, sweep };
}

const gridFlags = (grid: Grid) =>
  (Object.keys(grid) as SettingName[]).flatMap((setting) => [flagOf(setting), grid[setting]!.join(',')]);

/** Executes one run. @returns its exit code */
function runOne(
  folder: string,
  { values }: Combination,
  { argv }: Sweep,
  json: boolean,
  parent: SweepRun | undefined,
): Promise<number> {
  const ownFlags = (Object.keys(values) as SettingName[]).flatMap((setting) => [flagOf(setting), values[setting]!]);
  // Each run is a separate MLflow run.
  const { MLFLOW_RUN_ID: _, ...environment } = process.env;
  const child = spawn(
    process.execPath,
    [mainProgram, 'finetune', ...argv, ...ownFlags, '--run-folder', folder, '--resume', ...(json ? ['--json'] : [])],
    // In its own process group, so that it receives Ctrl-C once: from handSignalsTo, not from the terminal as well.
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...environment, ...parent?.environment }, detached: true },
  );
  const stop = forwardSignals([child]);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      stop();
      resolve(status ?? (signal && signal in exitCodes ? exitCodes[signal as EndingSignal] : exitCodes.unexpected));
    });
  });
}

const describeSpread = (spread: Spread | null) =>
  spread
    ? `${percent(spread.mean)}${spread.deviation === null ? '' : ` ± ${(100 * spread.deviation).toFixed(1)}`}`
    : '';

function describeResult({ groups, best, runs }: SweepResult): string {
  const rows = groups.map((group) => ({
    settings: describeValues(group.values),
    runs: group.finished === group.runs ? String(group.runs) : `${group.finished} of ${group.runs}`,
    validation: describeSpread(group.validation),
    test: describeSpread(group.test),
    '': group === best ? 'best' : '',
  }));
  const failed = runs.filter(({ state }) => state === 'failed');
  return [
    tableBundle(rows)['text/plain'],
    ...(best
      ? [
          `\nBest by validation accuracy: ${describeValues(best.values)}. Its test accuracy: ${describeSpread(best.test)}${best.finished > 1 ? ` (mean and standard deviation of ${best.finished} seeds)` : ''}.`,
        ]
      : []),
    ...failed.map(({ name, message }) => `Failed: ${name}: ${message ?? ''}`),
  ].join('\n');
}

/** Whether the runs of a sweep are tracked by MLflow. */
function reportsToMlflow({ argv }: Sweep): boolean {
  const valueOf = (flag: string) => (argv.includes(flag) ? argv[argv.indexOf(flag) + 1] : undefined);
  const [config, reportTo] = [valueOf('--config'), valueOf(flagOf('reportTo'))];
  const layer = { origin: 'command line', values: reportTo === undefined ? {} : { reportTo }, nameOf: flagOf };
  return resolveSettings([
    ...(config ? [configLayer(config)] : []),
    environmentLayer(),
    layer,
  ]).settings.reportTo.includes('mlflow');
}

/** Starts the run of the sweep in MLflow, with the values of the grid. */
const startParent = (folder: RunFolder, { grid }: Sweep, mlflow: MlflowSettings, print: (text: string) => void) =>
  SweepRun.start(
    folder,
    mlflow,
    (Object.keys(grid) as SettingName[]).map((name) => ({ key: `grid_${name}`, value: grid[name]!.join(',') })),
    print,
  );

/** Sends the best combination as the result of the sweep. */
async function finishParent(parent: SweepRun | undefined, { best, runs }: SweepResult): Promise<void> {
  const isComplete = runs.every(({ metrics }) => metrics);
  await parent?.finish(
    isComplete ? 'FINISHED' : 'FAILED',
    {
      ...(best?.validation && { best_validation_accuracy: best.validation.mean }),
      ...(best?.test && { best_test_accuracy: best.test.mean }),
    },
    best ? [{ key: 'mlflow.note.content', value: `Best by validation accuracy: ${describeValues(best.values)}` }] : [],
  );
}

/** Executes a sweep until it is finished or a signal stops it, and sets the exit code. */
export async function sweep(command: Command): Promise<void> {
  const flags = command.opts<Flags>();
  if (flags.printConfig) {
    for (const { values } of combinationsOf(planSweep(command, flags).grid)) console.log(describeValues(values));
    return;
  }
  if (clusterOfEnvironment())
    throw new SettingsError(
      'SETTING_CONFLICT',
      'TF_CONFIG is set, but a sweep starts its runs from one process. ' +
        "Unset TF_CONFIG, or start 'npx tunebook finetune' on all workers for each combination.",
      { names: ['TF_CONFIG', 'sweep'] },
    );
  const { folder, sweep } = chooseSweep(command, flags);
  const mlflow = mlflowOfEnvironment();
  const existed = fs.existsSync(folder.folder);
  folder.write(sweepFile, sweep);
  const json = flags.json ?? false;
  const print = (text: string) => (json ? console.error : console.log)(text);
  const combinations = combinationsOf(sweep.grid);
  print(`Sweep ${folder.folder}: ${combinations.length} runs`);
  const parent = mlflow && reportsToMlflow(sweep) ? await startParent(folder, sweep, mlflow, print) : undefined;
  for (const [i, combination] of combinations.entries()) {
    const run = new RunFolder(folder.path(combination.name));
    if (run.state === 'completed' || run.state === 'early stopping') continue;
    print(`\n[${i + 1}/${combinations.length}] ${describeValues(combination.values)}`);
    const exitCode = await runOne(run.folder, combination, sweep, json, parent);
    if (exitCode >= exitCodes.SIGHUP) {
      await parent?.finish('KILLED');
      print(`\nInterrupted. Resume with: npx tunebook sweep --resume ${folder.folder}`);
      process.exitCode = exitCode;
      return;
    }
    // A setting that is invalid although other runs have trained is one of this combination: --freeze 1,9.
    const isOwn = exitCode === exitCodes.invalid && hasTrained(folder, sweep);
    if (!isOwn && [exitCodes.invalid, exitCodes.data, exitCodes.diskFull].some((code) => code === exitCode)) {
      process.exitCode = exitCode;
      await parent?.finish('FAILED');
      if (hasTrained(folder, sweep))
        print(`\nAll runs would fail with this error. Fix it, then run: npx tunebook sweep --resume ${folder.folder}`);
      else {
        for (const name of [sweepFile, trackingFile]) fs.rmSync(folder.path(name), { force: true });
        if (!existed) fs.rmdirSync(folder.folder);
      }
      return;
    }
  }
  const result = sweepResult(folder.folder, sweep);
  folder.write('result.json', result);
  await finishParent(parent, result);
  print(`\n${describeResult(result)}`);
  if (json) console.log(JSON.stringify({ kind: 'sweep', ...result }));
  if (result.runs.some(({ metrics }) => !metrics)) process.exitCode = exitCodes.unexpected;
}
