/**
 * The cluster definition: all ranks, and the rank of this process. It is read from the environment variable TF_CONFIG,
 * which TensorFlow's distribution strategies, Kubeflow's TFJob and Ray's TensorflowTrainer set
 * (tensorflow.org/api_docs/python/tf/distribute/cluster_resolver/TFConfigClusterResolver). This module does not load
 * TensorFlow.
 */
import { z } from 'zod';
import { ClusterDefinitionError } from '../errors.js';

/** One of the processes that train together: a rank. */
export interface ClusterTask {
  /** Its number among all ranks. 0 is the chief, which writes the results. */
  rank: number;
  /** Its type in TF_CONFIG, such as `chief` or `worker`. */
  job: string;
  /** Its number among the tasks of this type. */
  index: number;
  /** `host:port`, at which the other ranks connect to it. */
  address: string;
}

/** All processes that train together. */
export interface ClusterDefinition {
  /** In order of their ranks. */
  tasks: ClusterTask[];
  /** The rank of this process. */
  rank: number;
}

/** Task types that train, with the chief's first. */
const trainingJobs = ['chief', 'master', 'worker'];

const schema = z.object({
  cluster: z.record(z.string(), z.array(z.string())).optional(),
  task: z.object({ type: z.string(), index: z.coerce.number().int().min(0) }).optional(),
});

const isAddress = (address: string) => /^(\[[\da-f:.]+\]|[^\s:/]+):\d{1,5}$/i.test(address);

/** The port of `host:port`. */
export const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** The host of `host:port`, an IPv6 address without its brackets. */
export const hostOf = (address: string): string =>
  address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');

/** Describes a rank: `rank 1 (worker 0, 10.0.0.7:2222)`. */
export const describeTask = ({ rank, job, index, address }: ClusterTask): string =>
  `rank ${rank} (${job} ${index}, ${address})`;

/**
 * Reads TF_CONFIG.
 * @param environment the environment variables
 * @returns undefined if it is not set or contains a single process
 * @throws ClusterDefinitionError if it is invalid or contains unsupported task types
 */
export function clusterOfEnvironment(environment: NodeJS.ProcessEnv = process.env): ClusterDefinition | undefined {
  const text = environment['TF_CONFIG']?.trim();
  if (!text) return undefined;
  const fail = (problem: string): never => {
    throw new ClusterDefinitionError(
      'TF_CONFIG_INVALID',
      `TF_CONFIG ${problem}. Example of a valid value: {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}. Unset it to train in a single process.`,
      { value: text },
    );
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    fail(`is not valid JSON (${(error as Error).message})`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return fail(`is invalid at ${issue!.path.join('.') || 'the top level'}: ${issue!.message}`);
  }
  const { cluster = {}, task } = parsed.data;
  for (const job of Object.keys(cluster))
    if (!trainingJobs.includes(job) && cluster[job]!.length > 0)
      fail(
        `contains ${cluster[job]!.length} task(s) of type '${job}', which is not supported: all ranks must be workers, and one of them may be the chief`,
      );
  const tasks = trainingJobs
    .flatMap((job) => (cluster[job] ?? []).map((address, index) => ({ job, index, address })))
    .map((each, rank): ClusterTask => ({ rank, ...each }));
  if (tasks.length <= 1) return undefined;
  if (!task) return fail('does not contain the task of this process');
  const own = tasks.find(({ job, index }) => job === task.type && index === task.index);
  if (!own) return fail(`assigns this process to ${task.type} ${task.index}, which is not in the cluster`);
  for (const each of tasks) {
    if (!isAddress(each.address) || portOf(each.address) < 1 || portOf(each.address) > 65_535)
      fail(`contains '${each.address}' for ${each.job} ${each.index}, which is not a valid host:port`);
    const duplicate = tasks.find(({ rank, address }) => rank < each.rank && address === each.address);
    if (duplicate)
      fail(`contains ${each.address} twice, for ${duplicate.job} ${duplicate.index} and for ${each.job} ${each.index}`);
  }
  return { tasks, rank: own.rank };
}
