/** `tunebook launch`: starts all workers of a command on this machine, or those of this process of a scheduler. */
import { SettingsError } from '../errors.js';
import { visibleGpus } from '../distributed/rank-environment.js';
import { describeEnd, exitCodeOfRanks, isRestartable, localPlaces, runRanks } from '../distributed/local.js';
import { placesFrom, type Scheduler } from '../distributed/scheduler.js';
import { newRunFolder } from '../runs/run-folder.js';
import { environmentLayer } from '../settings/settings.js';
import { normalizeFlags } from './settings-flags.js';
import { readInteger } from './integer-argument.js';
import { mainProgram } from './main-program.js';

/** Options of the command line. */
export interface LaunchOptions {
  workers?: string;
  maxRestarts: string;
  from?: string;
  hosts?: string;
  port?: string;
  nodes?: string;
  service?: string;
}

/** Commands that can train on several workers. */
const commands = ['finetune', 'adapt'];

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
    const ends = await runRanks(await localPlaces(workers), [process.execPath, mainProgram, command, ...argv]);
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

/** Runs the workers of a process that a scheduler started. */
async function launchFrom(scheduler: Scheduler, options: LaunchOptions, command: string, argv: string[]) {
  const number = (name: 'port' | 'nodes') =>
    options[name] === undefined ? undefined : readInteger(`--${name}`, options[name], 1);
  const places = placesFrom(
    scheduler,
    { hosts: options.hosts, service: options.service, port: number('port'), nodes: number('nodes') },
    // The other schedulers start one process per rank.
    scheduler === 'kubernetes' ? visibleGpus().length : 0,
  );
  process.exitCode = exitCodeOfRanks(await runRanks(places, [process.execPath, mainProgram, command, ...argv]));
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
      'Give either --workers, to start all workers on this machine, or --from slurm, mpi or kubernetes, ' +
        'to run as a process that a scheduler started.',
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
    const unused = (['hosts', 'port', 'nodes', 'service'] as const).filter((name) => options[name] !== undefined);
    if (unused.length > 0) {
      const flags = unused.map((name) => `--${name}`);
      throw new SettingsError(
        'SETTING_CONFLICT',
        `${flags.join(' and ')} need --from; with --workers, all workers are on this machine. Remove ${flags.join(' and ')}.`,
        { names: ['--workers', ...flags] },
      );
    }
    return launchHere(
      readInteger('--workers', workers!, 1),
      readInteger('--max-restarts', options.maxRestarts, 0),
      command,
      args,
    );
  }
  if (from !== 'slurm' && from !== 'mpi' && from !== 'kubernetes')
    throw new SettingsError('SETTING_INVALID', `--from is '${from}'; it must be slurm, mpi or kubernetes.`, {
      name: '--from',
      value: from,
    });
  return launchFrom(from, options, command, args);
}
