/** `tunebook launch`: a command on several ranks: all of them on this machine, or this one of those that a scheduler starts. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { SettingsError, exitCodes } from '../errors.js';
import { environmentOfRank, visibleGpus } from '../distributed/rank-environment.js';
import { describeEnd, exitCodeOfRanks, isWorthAnotherStart, runRanks } from '../distributed/local.js';
import { placeFrom, type Scheduler } from '../distributed/scheduler.js';
import { newRunFolder } from '../runs/run-folder.js';
import { handSignalsTo } from '../signals.js';
import { environmentLayer } from '../settings/settings.js';
import { normalizeFlags } from './settings-flags.js';

/** What the command line says. */
export interface LaunchOptions {
  workers?: string;
  maxRestarts: string;
  from?: string;
  hosts?: string;
  port?: string;
}

const main = path.join(path.dirname(fileURLToPath(import.meta.url)), 'main.js');

/** Commands that know what to do with ranks. */
const commands = ['finetune', 'adapt'];

function wholeNumber(flag: string, text: string, least: number): number {
  if (!/^\d+$/.test(text) || Number(text) < least)
    throw new SettingsError(
      'SETTING_INVALID',
      `${flag} is '${text}'; it must be a whole number of at least ${least}.`,
      { name: flag, value: text },
    );
  return Number(text);
}

const says = (argv: string[], flag: string) => argv.some((word) => word === flag || word.startsWith(`${flag}=`));

/** All ranks on this machine, to their end. */
async function launchHere(workers: number, maxRestarts: number, command: string, given: string[]): Promise<void> {
  const gpus = visibleGpus();
  if (gpus.length > 1 && workers > gpus.length)
    throw new SettingsError(
      'LAUNCH_TOO_FEW_GPUS',
      `--workers is ${workers}, and this machine has ${gpus.length} GPUs: one a worker.`,
      { workers, gpus: gpus.length },
    );
  const argv = [...given];
  // The ranks that are started again must find the run that was begun.
  const isNamed = says(argv, '--run-folder') || environmentLayer().values.runFolder;
  if (!isNamed && !says(argv, '--resume') && !says(argv, '--print-config')) argv.push('--run-folder', newRunFolder());
  for (let restarts = 0; ; restarts++) {
    const ends = await runRanks(workers, [process.execPath, main, command, ...argv]);
    const exitCode = exitCodeOfRanks(ends);
    if (exitCode === 0) return;
    for (const end of ends) if (end.code !== 0) console.error(`${describeEnd(end)}.`);
    if (restarts >= maxRestarts || !isWorthAnotherStart(exitCode)) {
      process.exitCode = exitCode;
      return;
    }
    if (!says(argv, '--resume')) argv.push('--resume');
    console.error(`All ranks start again (${restarts + 1} of ${maxRestarts}), from the last checkpoint.`);
  }
}

/** This rank of those that a scheduler has started. */
async function launchRank(scheduler: Scheduler, options: LaunchOptions, command: string, argv: string[]) {
  const port = options.port === undefined ? undefined : wholeNumber('--port', options.port, 1);
  const place = placeFrom(scheduler, { hosts: options.hosts, port });
  const child = spawn(process.execPath, [main, command, ...argv], {
    stdio: 'inherit',
    env: environmentOfRank(place, visibleGpus()),
  });
  const stop = handSignalsTo([child]);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? exitCodes.rankLost));
  });
  stop();
}

/**
 * @param command `finetune` or `adapt`
 * @param argv its own
 * @throws SettingsError for what does not go together
 */
export async function launch(command: string, argv: string[], options: LaunchOptions): Promise<void> {
  const { workers, from } = options;
  if (!commands.includes(command))
    throw new SettingsError(
      'LAUNCH_COMMAND_INVALID',
      `'${command}' does not train on several ranks. These do: ${commands.join(', ')}.`,
      { command, commands },
    );
  if ((workers === undefined) === (from === undefined))
    throw new SettingsError(
      'SETTING_MISSING',
      'Say either --workers, for that many ranks on this machine, or --from slurm or --from mpi, for a rank that one of these has started.',
      { names: ['--workers', '--from'] },
    );
  if (process.env['TF_CONFIG'])
    throw new SettingsError(
      'SETTING_CONFLICT',
      `TF_CONFIG is set: ranks are there already. Run 'tunebook ${command}' itself.`,
      { names: ['TF_CONFIG', 'launch'] },
    );
  const own = normalizeFlags(argv);
  if (from === undefined) {
    if (options.hosts !== undefined || options.port !== undefined)
      throw new SettingsError(
        'SETTING_CONFLICT',
        '--hosts and --port are of --from: with --workers all is on this machine.',
        { names: ['--workers', '--hosts', '--port'] },
      );
    return launchHere(
      wholeNumber('--workers', workers!, 1),
      wholeNumber('--max-restarts', options.maxRestarts, 0),
      command,
      own,
    );
  }
  if (from !== 'slurm' && from !== 'mpi')
    throw new SettingsError('SETTING_INVALID', `--from is '${from}'; it must be slurm or mpi.`, {
      name: '--from',
      value: from,
    });
  return launchRank(from, options, command, own);
}
