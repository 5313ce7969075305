/**
 * What Slurm and Open MPI tell a process that they have started, as the place of a rank. Both fill one machine after the
 * other (Slurm's block distribution, Open MPI's --map-by slot); a process that finds itself elsewhere says so.
 */
import { hash } from 'node:crypto';
import os from 'node:os';
import { SettingsError } from '../errors.js';
import type { RankPlace } from './rank-environment.js';
import { hostsOfMpi, hostsOfNodeList, tasksOfNodes, type Host } from './hosts.js';

/** Who has started this process. */
export type Scheduler = 'slurm' | 'mpi';

export interface SchedulerOptions {
  /** Of MPI, see hostsOfMpi; where all ranks are on one machine they need not be named. */
  hosts?: string | undefined;
  /** Of a machine's first rank; the others' follow. @default made of the job's name, the same on all ranks */
  port?: number | undefined;
}

/** Ports that Linux gives to nobody by itself. */
const ports = { first: 20_000, count: 10_000 };

/** A port that follows from a job's name. */
const portOfJob = (job: string): number => ports.first + (parseInt(hash('sha1', job).slice(0, 8), 16) % ports.count);

/** Ranks by their machines, one machine after the other. */
function placeOf(hosts: Host[], rank: number, size: number, firstPort: number): RankPlace & { host: string } {
  const all = hosts.flatMap(({ name, slots }) =>
    Array.from({ length: slots }, (_, localRank) => ({ name, localRank })),
  );
  if (all.length < size)
    throw new SettingsError(
      'LAUNCH_TOO_FEW_SLOTS',
      `There are ${size} ranks, and places for ${all.length} on ${hosts.length} hosts.`,
      { ranks: size, slots: all.length },
    );
  const used = all.slice(0, size);
  const own = used[rank]!;
  return {
    addresses: used.map(({ name, localRank }) => `${name}:${firstPort + localRank}`),
    rank,
    localRank: own.localRank,
    localSize: used.filter(({ name }) => name === own.name).length,
    host: own.name,
  };
}

/** The first part of a machine's name, which is what two ways of naming it have in common. */
const short = (name: string) => name.split('.')[0]!.toLowerCase();

/** Whether a name or an address is this machine's, as far as can be told. */
const isHere = (host: string, here: string): boolean =>
  short(host) === short(here) ||
  host === 'localhost' ||
  Object.values(os.networkInterfaces()).some((addresses = []) => addresses.some(({ address }) => address === host));

/** @throws SettingsError naming what is missing */
function numberOf(environment: NodeJS.ProcessEnv, names: string[], scheduler: string): number {
  const text = names.map((name) => environment[name]).find((value) => value !== undefined && value !== '');
  if (text === undefined || !/^\d+$/.test(text))
    throw new SettingsError(
      'SETTING_MISSING',
      `${names[0]} is not set: this process was not started by ${scheduler}.`,
      { names },
    );
  return Number(text);
}

function ofSlurm(environment: NodeJS.ProcessEnv, { port }: SchedulerOptions): RankPlace {
  const rank = numberOf(environment, ['SLURM_PROCID'], 'srun');
  const size = numberOf(environment, ['SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS'], 'srun');
  const list = environment['SLURM_STEP_NODELIST'] ?? environment['SLURM_JOB_NODELIST'] ?? '';
  const tasks = environment['SLURM_STEP_TASKS_PER_NODE'] ?? environment['SLURM_TASKS_PER_NODE'] ?? '';
  const names = hostsOfNodeList(list);
  const slots = tasksOfNodes(tasks);
  const hosts = names.map((name, i): Host => ({ name, slots: slots[i] ?? 0 }));
  const job = `${environment['SLURM_JOB_ID'] ?? ''}.${environment['SLURM_STEP_ID'] ?? ''}`;
  const place = placeOf(hosts, rank, size, port ?? portOfJob(job));
  const here = environment['SLURMD_NODENAME'] ?? os.hostname();
  if (!isHere(place.host, here))
    throw new SettingsError(
      'LAUNCH_WRONG_HOST',
      `Rank ${rank} should be on ${place.host}, and is on ${here}: have srun fill one node after the other (--distribution=block).`,
      { rank, expected: place.host, actual: here },
    );
  return place;
}

function ofMpi(environment: NodeJS.ProcessEnv, { hosts, port }: SchedulerOptions): RankPlace {
  const rank = numberOf(environment, ['OMPI_COMM_WORLD_RANK'], 'mpirun');
  const size = numberOf(environment, ['OMPI_COMM_WORLD_SIZE'], 'mpirun');
  const localSize = numberOf(environment, ['OMPI_COMM_WORLD_LOCAL_SIZE'], 'mpirun');
  if (!hosts && localSize < size)
    throw new SettingsError(
      'SETTING_MISSING',
      'The ranks are on several machines, and MPI tells none of them where the others are: name all (--hosts node1:2,node2:2, or a hostfile).',
      { names: ['--hosts'] },
    );
  const job = environment['PMIX_NAMESPACE'] ?? environment['OMPI_MCA_ess_base_jobid'] ?? '';
  const list = hosts ? hostsOfMpi(hosts) : [{ name: '127.0.0.1', slots: size }];
  const place = placeOf(list, rank, size, port ?? portOfJob(job));
  if (!isHere(place.host, os.hostname()))
    throw new SettingsError(
      'LAUNCH_WRONG_HOST',
      `Rank ${rank} should be on ${place.host}, and is on ${os.hostname()}: have mpirun fill one host after the other (--map-by slot), in the order of --hosts.`,
      { rank, expected: place.host, actual: os.hostname() },
    );
  return place;
}

/**
 * The place of this rank.
 * @throws SettingsError when the scheduler's variables are not there, or when ranks are spread another way
 */
export const placeFrom = (
  scheduler: Scheduler,
  options: SchedulerOptions = {},
  environment: NodeJS.ProcessEnv = process.env,
): RankPlace => (scheduler === 'slurm' ? ofSlurm : ofMpi)(environment, options);
