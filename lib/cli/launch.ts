/** `tunebook launch`: starts all workers of a command on this machine, or one worker in a process of a scheduler. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { SettingsError, exitCodes } from '../errors.js';
import { environmentOfRank, visibleGpus } from '../distributed/rank-environment.js';
import { describeEnd, exitCodeOfRanks, isRestartable, runRanks } from '../distributed/local.js';
import { placeFrom, type Scheduler } from '../distributed/scheduler.js';
import { newRunFolder } from '../runs/run-folder.js';
import { forwardSignals } from '../signals.js';
import { environmentLayer } from '../settings/settings.js';
import { normalizeFlags } from './settings-flags.js';

/** Options of the command line. */
export interface LaunchOptions {
  workers?: string;
  maxRestarts: string;
  from?: string;
  hosts?: string;
  port?: string;
}

const main = path.join(path.dirname(fileURLToPath(import.meta.url)), 'main.js');

/** Commands that can train on several workers. */
const commands = ['finetune', 'adapt'];

function readInteger(flag: string, text: string, min: number): number {
  if (!/^\d+$/.test(text) || Number(text) < min)
    throw new SettingsError('SETTING_INVALID', `${flag} is '${text}'; it must be an integer of at least ${min}.`, {
      name: flag,
      value: text,
    });
  return Number(text);
}

const hasFlag = (argv: string[], flag: string) => argv.some((word) => word === flag || word.startsWith(`${flag}=`));

/** Runs all workers on this machine, with restarts, until they end. */
async function launchHere(workers: number, maxRestarts: number, command: string, args: string[]): Promise<void> {
  const gpus = visibleGpus();
  if (gpus.length > 1 && workers > gpus.length)
    throw new SettingsError(
      'LAUNCH_TOO_FEW_GPUS',
      `--workers is ${workers}, but this machine has ${gpus.length} GPUs, one per worker. ` +
        `Start at most ${gpus.length} workers.`,
      { workers, gpus: gpus.length },
    );
  const argv = [...args];
  // The folder is chosen here, so that restarted workers resume the same run.
  const hasFolder = hasFlag(argv, '--run-folder') || environmentLayer().values.runFolder;
  if (!hasFolder && !hasFlag(argv, '--resume') && !hasFlag(argv, '--print-config'))
    argv.push('--run-folder', newRunFolder());
  for (let restarts = 0; ; restarts++) {
    const ends = await runRanks(workers, [process.execPath, main, command, ...argv]);
    const exitCode = exitCodeOfRanks(ends);
    if (exitCode === 0) return;
    for (const end of ends) if (end.code !== 0) console.error(`${describeEnd(end)}.`);
    if (restarts >= maxRestarts || !isRestartable(exitCode)) {
      process.exitCode = exitCode;
      return;
    }
    if (!hasFlag(argv, '--resume')) argv.push('--resume');
    console.error(`Restarting all workers from the last checkpoint (restart ${restarts + 1} of ${maxRestarts}).`);
  }
}

/** Runs one worker in a process that a scheduler started. */
async function launchRank(scheduler: Scheduler, options: LaunchOptions, command: string, argv: string[]) {
  const port = options.port === undefined ? undefined : readInteger('--port', options.port, 1);
  const place = placeFrom(scheduler, { hosts: options.hosts, port });
  const child = spawn(process.execPath, [main, command, ...argv], {
    stdio: 'inherit',
    env: environmentOfRank(place, visibleGpus()),
  });
  const stop = forwardSignals([child]);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? exitCodes.rankLost));
  });
  stop();
}

/**
 * Runs `tunebook launch`.
 * @param command `finetune` or `adapt`
 * @param argv arguments of the command
 * @throws SettingsError if an option is invalid, missing or contradicts another
 */
export async function launch(command: string, argv: string[], options: LaunchOptions): Promise<void> {
  const { workers, from } = options;
  if (!commands.includes(command))
    throw new SettingsError(
      'LAUNCH_COMMAND_INVALID',
      `'${command}' cannot run on several workers. Use one of: ${commands.join(', ')}.`,
      { command, commands },
    );
  if ((workers === undefined) === (from === undefined))
    throw new SettingsError(
      'SETTING_MISSING',
      'Give either --workers, to start all workers on this machine, or --from slurm or --from mpi, ' +
        'to run as a process that srun or mpirun started.',
      { names: ['--workers', '--from'] },
    );
  if (process.env['TF_CONFIG'])
    throw new SettingsError(
      'SETTING_CONFLICT',
      `TF_CONFIG is set: the workers have been started already. Run 'npx tunebook ${command}' without launch.`,
      { names: ['TF_CONFIG', 'launch'] },
    );
  const args = normalizeFlags(argv);
  if (from === undefined) {
    if (options.hosts !== undefined || options.port !== undefined)
      throw new SettingsError(
        'SETTING_CONFLICT',
        '--hosts and --port need --from; with --workers, all workers are on this machine. Remove --hosts and --port.',
        { names: ['--workers', '--hosts', '--port'] },
      );
    return launchHere(
      readInteger('--workers', workers!, 1),
      readInteger('--max-restarts', options.maxRestarts, 0),
      command,
      args,
    );
  }
  if (from !== 'slurm' && from !== 'mpi')
    throw new SettingsError('SETTING_INVALID', `--from is '${from}'; it must be slurm or mpi.`, {
      name: '--from',
      value: from,
    });
  return launchRank(from, options, command, args);
}
