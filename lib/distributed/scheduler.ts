/**
 * Derives the places of ranks from the environment variables of Slurm, Open MPI and Kubernetes. Slurm and Open MPI start one
 * process per rank and must fill one machine after the other (Slurm's block distribution, Open MPI's --map-by slot); a
 * rank on another machine than expected is an error. Kubernetes starts one pod per machine, whose ranks are started here.
 */
import { hash } from 'node:crypto';
import os from 'node:os';
import { SettingsError } from '../errors.js';
import type { RankPlace } from './rank-environment.js';
import { hostsOfMpi, hostsOfNodeList, tasksOfNodes, type Host } from './hosts.js';

/** Schedulers that can start ranks. */
export type Scheduler = 'slurm' | 'mpi' | 'kubernetes';

/** Options of `placesFrom`. */
export interface SchedulerOptions {
  /** The hosts of MPI, see hostsOfMpi. Not necessary if all ranks are on one machine. */
  hosts?: string | undefined;
  /** Port of the first rank on each machine; the other ranks use the next ports. @default derived from the job's id */
  port?: number | undefined;
  /** Number of pods of Kubernetes. */
  nodes?: number | undefined;
  /** Name of the headless service of Kubernetes by which the pods find each other. */
  service?: string | undefined;
}

/** A range of ports that Linux does not assign automatically. */
const ports = { first: 20_000, count: 10_000 };

/** Derives a port from a job's id, which is the same on all ranks. */
const portOfJob = (job: string): number => ports.first + (parseInt(hash('sha1', job).slice(0, 8), 16) % ports.count);

/** The place of a rank if ranks fill one host after the other. */
function placeOf(hosts: Host[], rank: number, size: number, firstPort: number): RankPlace & { host: string } {
  const slots = hosts.flatMap(({ name, slots: count }) =>
    Array.from({ length: count }, (_, localRank) => ({ name, localRank })),
  );
  if (slots.length < size)
    throw new SettingsError(
      'LAUNCH_TOO_FEW_SLOTS',
      `There are ${size} ranks, but only ${slots.length} slots on ${hosts.length} hosts. Add hosts or slots, or start fewer ranks.`,
      { ranks: size, slots: slots.length },
    );
  const used = slots.slice(0, size);
  const own = used[rank]!;
  return {
    addresses: used.map(({ name, localRank }) => `${name}:${firstPort + localRank}`),
    rank,
    localRank: own.localRank,
    localSize: used.filter(({ name }) => name === own.name).length,
    host: own.name,
  };
}

/** The host name without its domain, in lower case. */
const shortName = (name: string) => name.split('.')[0]!.toLowerCase();

/** Whether a host is this machine, by its short name or the addresses of its interfaces. */
const isHere = (host: string, here: string): boolean =>
  shortName(host) === shortName(here) ||
  host === 'localhost' ||
  Object.values(os.networkInterfaces()).some((addresses = []) => addresses.some(({ address }) => address === host));

/** Reads a number from the first variable that is set. @throws SettingsError if none is set */
function numberOf(environment: NodeJS.ProcessEnv, names: string[], scheduler: string): number {
  const text = names.map((name) => environment[name]).find((value) => value !== undefined && value !== '');
  if (text === undefined || !/^\d+$/.test(text))
    throw new SettingsError('SETTING_MISSING', `${names[0]} is not set. Start this command with ${scheduler}.`, {
      names,
    });
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
      `Rank ${rank} must be on ${place.host}, but is on ${here}. Make srun fill one node after the other (--distribution=block).`,
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
      'The ranks are on several machines, and MPI does not provide their addresses. Pass all hosts (--hosts node1:2,node2:2, or a hostfile).',
      { names: ['--hosts'] },
    );
  const job = environment['PMIX_NAMESPACE'] ?? environment['OMPI_MCA_ess_base_jobid'] ?? '';
  const list = hosts ? hostsOfMpi(hosts) : [{ name: '127.0.0.1', slots: size }];
  const place = placeOf(list, rank, size, port ?? portOfJob(job));
  if (!isHere(place.host, os.hostname()))
    throw new SettingsError(
      'LAUNCH_WRONG_HOST',
      `Rank ${rank} must be on ${place.host}, but is on ${os.hostname()}. Make mpirun fill one host after the other (--map-by slot), in the order of --hosts.`,
      { rank, expected: place.host, actual: os.hostname() },
    );
  return place;
}

/** The port of the first rank of a container, as in Kubeflow's TFJob: containers have addresses of their own. */
export const containerPort = 2222;

/**
 * The places of the ranks on one of several hosts: one rank per GPU, or one. All hosts have the same number of GPUs.
 * @param names names of all hosts
 * @param index number of the host
 */
export function placesOnHost(names: string[], index: number, gpus: number, firstPort: number): RankPlace[] {
  const localSize = Math.max(1, gpus);
  const hosts = names.map((name): Host => ({ name, slots: localSize }));
  return Array.from({ length: localSize }, (_, localRank) =>
    placeOf(hosts, index * localSize + localRank, names.length * localSize, firstPort),
  );
}

/**
 * The ranks of this pod of an indexed Job, as JobSet and Kubeflow's Trainer create: one per GPU, or one. The names of the pods differ
 * in the completion index, at their end (kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode).
 */
function ofKubernetes(
  environment: NodeJS.ProcessEnv,
  { nodes, service, port = containerPort }: SchedulerOptions,
  gpus: number,
  podName: string,
): RankPlace[] {
  const index = numberOf(environment, ['JOB_COMPLETION_INDEX'], 'an indexed Job of Kubernetes');
  if (nodes === undefined || service === undefined)
    throw new SettingsError(
      'SETTING_MISSING',
      'Kubernetes does not provide the number of pods and the name of their service. Pass --nodes and --service.',
      { names: ['--nodes', '--service'] },
    );
  if (index >= nodes || !podName.endsWith(`-${index}`))
    throw new SettingsError(
      'LAUNCH_WRONG_HOST',
      `The pod ${podName} has the completion index ${index} of ${nodes} pods. Its name must end with the index, and --nodes must be the number of pods.`,
      { pod: podName, index, nodes },
    );
  const prefix = podName.slice(0, -String(index).length);
  const names = Array.from({ length: nodes }, (_, i) => `${prefix}${i}.${service}`);
  return placesOnHost(names, index, gpus, port);
}

/**
 * The places of the ranks that this process starts.
 * @param gpus number of GPUs of this machine; only for Kubernetes, where each pod must have the same number
 * @throws SettingsError if the scheduler's variables are not set, or if the ranks are distributed differently
 */
export function placesFrom(
  scheduler: Scheduler,
  options: SchedulerOptions = {},
  gpus = 0,
  environment: NodeJS.ProcessEnv = process.env,
  hostName = os.hostname(),
): RankPlace[] {
  if (scheduler === 'kubernetes') return ofKubernetes(environment, options, gpus, hostName);
  return [(scheduler === 'slurm' ? ofSlurm : ofMpi)(environment, options)];
}
