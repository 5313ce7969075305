/**
 * `tunebook sweep`: runs in turn, each a `tunebook finetune` in a process and a folder of its own. So one that fails fails
 * alone, and a sweep that was interrupted goes on where it was: finished runs are finished, and one that was under way goes on
 * from its last checkpoint.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
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
import { handSignalsTo } from '../signals.js';
import { percent } from '../figures/format.js';
import { describeSetting, environmentLayer, resolveSettings, type SettingName } from '../settings/settings.js';
import { clusterOfEnvironment } from '../distributed/cluster-definition.js';
import { mlflowOfEnvironment } from '../tracking/mlflow-client.js';
import { configLayer } from '../settings/config-file.js';
import { addSettings, flagOf, flagsLayer } from './settings-flags.js';
import { settingsOf } from './training-command.js';

/** The plan of a sweep, in its folder. */
const sweepFile = 'sweep.json';

const main = path.join(path.dirname(fileURLToPath(import.meta.url)), 'main.js');

interface Flags {
  config?: string;
  printConfig?: boolean;
  json?: boolean;
  resume?: string | true;
  runFolder?: string;
}

/** Gives the command the flags of `finetune`, several values by commas in each. */
export function addSweepFlags(command: Command): Command {
  addSettings(
    command,
    settingsOf('finetune').filter((setting) => setting !== 'runFolder'),
  );
  const run = (flags: string, description: string) =>
    command.addOption(new Option(flags, description).helpGroup('Sweep:'));
  run('--run-folder <folder>', "where the runs' folders go (default: runs/sweep- and the time)");
  run('--config <file>', 'settings of all runs from a JSON or YAML file');
  run('--print-config', 'shows what each run would have of its own, and does nothing else');
  run('--resume [sweep]', 'goes on with a sweep: that one, or the newest that is not through');
  run('--json', "for machines: the runs' journals, and at the end the result");
  return command;
}

/** What is asked for, checked in every combination before any work. */
function plan(command: Command, { config }: Flags): Sweep {
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
        `${flagOf(setting)} names a value twice: ${several.join(',')}. Leave one.`,
        { names: [flagOf(setting)], values: several },
      );
    else if (describeSetting(setting).neutral)
      throw new SettingsError(
        'SETTING_INVALID',
        `${flagOf(setting)} changes nothing of what is learnt: give it one value.`,
        { name: flagOf(setting), value: several },
      );
    else grid[setting] = several;
  }
  if (Object.keys(grid).length === 0)
    throw new SettingsError(
      'SETTING_MISSING',
      'A sweep needs a setting with several values, by commas: --lr 1e-5,3e-5,5e-5 --seed 1,2,3. One run alone is tunebook finetune.',
    );
  const layers = [...(config ? [configLayer(config)] : []), environmentLayer(), flagsLayer(command)];
  for (const { values: own } of combinationsOf(grid)) {
    const layer = { origin: 'command line', values: own, nameOf: flagOf };
    resolveSettings([...layers.slice(0, -1), withoutGrid(layers.at(-1)!, grid), layer]);
  }
  return { grid, argv, startedAt: new Date().toISOString() };
}

const withoutGrid = (layer: ReturnType<typeof flagsLayer>, grid: Grid) => ({
  ...layer,
  values: Object.fromEntries(Object.entries(layer.values).filter(([setting]) => !(setting in grid))),
});

const readSweep = (folder: RunFolder) => folder.read<Sweep>(sweepFile);

/** Whether a run of a sweep has trained. Until then another sweep may take its place, such as the corrected one. */
const hasTrained = (folder: RunFolder, { grid }: Sweep): boolean =>
  combinationsOf(grid).some(({ name }) => new RunFolder(folder.of(name)).hasTrained);

/** The newest sweep that has trained and is not through. */
const newestUnfinished = () =>
  findSweeps().findLast((folder) => {
    const sweep = readSweep(folder)!;
    return hasTrained(folder, sweep) && sweepResult(folder.folder, sweep).runs.some(({ metrics }) => !metrics);
  });

/** The sweep to run, and where: begun now, or gone on with. */
function choose(command: Command, flags: Flags): { folder: RunFolder; sweep: Sweep } {
  const named = flags.runFolder ? new RunFolder(flags.runFolder) : undefined;
  const there = named && readSweep(named);
  if (flags.resume === undefined || (flags.resume === true && named && !there)) {
    if (there && hasTrained(named, there))
      throw new RunError(
        'RUN_EXISTS',
        `${named.folder} holds a sweep already. Go on with it by --resume, or name another folder (--run-folder).`,
        { folder: named.folder },
      );
    const sweep = plan(command, flags);
    return { folder: named ?? new RunFolder(newRunFolder('runs', 'sweep-')), sweep };
  }
  const folder = typeof flags.resume === 'string' ? new RunFolder(flags.resume) : (named ?? newestUnfinished());
  const sweep = folder && readSweep(folder);
  if (!folder || !sweep)
    throw new RunError(
      folder ? 'RUN_NOT_A_RUN' : 'RUN_NOT_FOUND',
      folder
        ? `${folder.folder} is no sweep: it has no ${sweepFile}.`
        : 'There is no sweep in runs/ that is not through. Begin one: tunebook sweep --lr 1e-5,3e-5 --seed 1,2,3',
      { folder: folder?.folder ?? 'runs' },
    );
  const { values } = flagsLayer(command);
  if (Object.keys(values).some((setting) => setting !== 'runFolder')) {
    const asked = plan(command, flags);
    if (JSON.stringify([asked.grid, asked.argv]) === JSON.stringify([sweep.grid, sweep.argv])) return { folder, sweep };
    if (!hasTrained(folder, sweep)) return { folder, sweep: asked };
    throw new RunError(
      'RUN_SETTINGS_CHANGED',
      `${folder.folder} was begun with other settings: ${[...sweep.argv, ...gridWords(sweep.grid)].join(' ')}. Say the same or nothing to go on with it, or begin another.`,
      { folder: folder.folder },
    );
  }
  return { folder, sweep };
}

const gridWords = (grid: Grid) =>
  (Object.keys(grid) as SettingName[]).flatMap((setting) => [flagOf(setting), grid[setting]!.join(',')]);

/** One run to its end. @returns its exit code */
function runOne(folder: string, { values }: Combination, { argv }: Sweep, json: boolean): Promise<number> {
  const own = (Object.keys(values) as SettingName[]).flatMap((setting) => [flagOf(setting), values[setting]!]);
  // Each is a run of its own in MLflow, too.
  const { MLFLOW_RUN_ID: _, ...environment } = process.env;
  const child = spawn(
    process.execPath,
    [main, 'finetune', ...argv, ...own, '--run-folder', folder, '--resume', ...(json ? ['--json'] : [])],
    // In a group of its own: the terminal's Ctrl-C reaches it by what is handed on alone, once.
    { stdio: ['ignore', 'inherit', 'inherit'], env: environment, detached: true },
  );
  const stop = handSignalsTo([child]);
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

/** Runs a sweep to its end, or until a signal ends it, and sets the exit code. */
export async function sweep(command: Command): Promise<void> {
  const flags = command.opts<Flags>();
  if (flags.printConfig) {
    for (const { values } of combinationsOf(plan(command, flags).grid)) console.log(describeValues(values));
    return;
  }
  if (clusterOfEnvironment())
    throw new SettingsError(
      'SETTING_CONFLICT',
      'TF_CONFIG is set, and a sweep starts one run after the other from one process. Leave TF_CONFIG out, or have each run be a `tunebook finetune` on all ranks.',
      { names: ['TF_CONFIG', 'sweep'] },
    );
  const { folder, sweep } = choose(command, flags);
  mlflowOfEnvironment();
  const existed = fs.existsSync(folder.folder);
  folder.write(sweepFile, sweep);
  const json = flags.json ?? false;
  const say = (words: string) => (json ? console.error : console.log)(words);
  const combinations = combinationsOf(sweep.grid);
  say(`Sweep ${folder.folder}: ${combinations.length} runs`);
  for (const [i, combination] of combinations.entries()) {
    const run = new RunFolder(folder.of(combination.name));
    if (run.state === 'completed' || run.state === 'early stopping') continue;
    say(`\n[${i + 1}/${combinations.length}] ${describeValues(combination.values)}`);
    const exitCode = await runOne(run.folder, combination, sweep, json);
    if (exitCode >= exitCodes.SIGHUP) {
      say(`\nInterrupted. Go on with: tunebook sweep --resume ${folder.folder}`);
      process.exitCode = exitCode;
      return;
    }
    if (exitCode === exitCodes.refused || exitCode === exitCodes.data || exitCode === exitCodes.diskFull) {
      process.exitCode = exitCode;
      if (hasTrained(folder, sweep))
        say(`\nThis would end every run. When it is mended: tunebook sweep --resume ${folder.folder}`);
      else {
        fs.rmSync(folder.of(sweepFile));
        if (!existed) fs.rmdirSync(folder.folder);
      }
      return;
    }
  }
  const result = sweepResult(folder.folder, sweep);
  folder.write('result.json', result);
  say(`\n${describeResult(result)}`);
  if (json) console.log(JSON.stringify({ kind: 'sweep', ...result }));
  if (result.runs.some(({ metrics }) => !metrics)) process.exitCode = exitCodes.unexpected;
}
