/** The environment of a rank's process: its cluster, its GPU, and its number of threads. */
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { addonFiles, addonFolder, installedKind } from '#setup/cache.mjs';
import { isLoopback, preloadVariable } from './addresses.js';
import { hostOf } from './cluster-definition.js';

/** The place of a rank in the cluster and on its machine. */
export interface RankPlace {
  /** `host:port` of all ranks, in order of their ranks. */
  addresses: string[];
  rank: number;
  /** Its number among the ranks of its machine. */
  localRank: number;
  /** The number of ranks on its machine. */
  localSize: number;
}

/** The GPUs that this process may use, as in CUDA_VISIBLE_DEVICES or, if it is not set, by the driver's numbers. */
export function visibleGpus(environment: NodeJS.ProcessEnv = process.env): string[] {
  const chosen = environment['CUDA_VISIBLE_DEVICES'];
  if (chosen !== undefined)
    return chosen
      .split(',')
      .map((gpu) => gpu.trim())
      .filter((gpu) => gpu !== '' && gpu !== '-1');
  const { status, stdout } = spawnSync('nvidia-smi', ['--query-gpu=index', '--format=csv,noheader'], {
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim().split('\n').filter(Boolean) : [];
}

/** Environment variables that make servers listen on loopback only, for clusters on a single machine. */
const loopbackEnvironment = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  NCCL_SOCKET_IFNAME: 'lo',
  [preloadVariable]: [path.join(addonFolder(installedKind()), addonFiles.loopback), environment[preloadVariable]]
    .filter(Boolean)
    .join(':'),
});

/** Environment variables with which processes of one machine share its cores. */
export function sharedThreads(processes: number): NodeJS.ProcessEnv {
  const threads = String(Math.max(1, Math.floor(os.availableParallelism() / processes)));
  return { TF_NUM_INTRAOP_THREADS: threads, TF_NUM_INTEROP_THREADS: threads };
}

/**
 * The environment of a rank.
 * @param gpus the GPUs of the machine, one per rank; with one or none, ranks use the devices that they see
 * @param environment the base environment; its numbers of threads are kept
 */
export function environmentOfRank(
  { addresses, rank, localRank, localSize }: RankPlace,
  gpus: string[],
  environment: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const gpu = gpus.length > 1 ? gpus[localRank] : undefined;
  return {
    ...sharedThreads(localSize),
    ...environment,
    TF_CONFIG: JSON.stringify({ cluster: { worker: addresses }, task: { type: 'worker', index: rank } }),
    ...(gpu !== undefined && { CUDA_VISIBLE_DEVICES: gpu }),
    ...(addresses.every((address) => isLoopback(hostOf(address))) && loopbackEnvironment(environment)),
  };
}
