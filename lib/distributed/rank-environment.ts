/** What the process of a rank is given, whoever starts it: the cluster, its GPU, and its share of the processor. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { isLoopback, loopbackLibrary, preloadVariable } from './addresses.js';
import { hostOf } from './cluster-definition.js';

/** A rank among those of its machine, and who they all are. */
export interface RankPlace {
  /** `host:port` of all ranks, in their order. */
  addresses: string[];
  rank: number;
  /** Its number among the ranks of its machine, and how many those are. */
  localRank: number;
  localSize: number;
}

/** The GPUs that this process may use, by the driver's numbers or by those of CUDA_VISIBLE_DEVICES; none where there is no GPU. */
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

const loopbackFile = () =>
  path.join(
    path.dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json')),
    'lib/napi-v8',
    loopbackLibrary,
  );

/** What keeps the servers of ranks that are all on one machine to it. */
const keptToLoopback = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  NCCL_SOCKET_IFNAME: 'lo',
  [preloadVariable]: [loopbackFile(), environment[preloadVariable]].filter(Boolean).join(':'),
});

/**
 * The environment of a rank.
 * @param gpus of the machine, one a rank; where there is one for all, or none, ranks take what they see
 * @param environment what it has besides; what that says of threads is kept
 */
export function environmentOfRank(
  { addresses, rank, localRank, localSize }: RankPlace,
  gpus: string[],
  environment: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const gpu = gpus.length > 1 ? gpus[localRank] : undefined;
  const threads = String(Math.max(1, Math.floor(os.availableParallelism() / localSize)));
  return {
    TF_NUM_INTRAOP_THREADS: threads,
    TF_NUM_INTEROP_THREADS: threads,
    ...environment,
    TF_CONFIG: JSON.stringify({ cluster: { worker: addresses }, task: { type: 'worker', index: rank } }),
    ...(gpu !== undefined && { CUDA_VISIBLE_DEVICES: gpu }),
    ...(addresses.every((address) => isLoopback(hostOf(address))) && keptToLoopback(environment)),
  };
}
