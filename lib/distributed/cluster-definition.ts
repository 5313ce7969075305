/**
 * Who trains together, and who of them this process is: the environment variable TF_CONFIG, as TensorFlow's own
 * distribution strategies, Kubeflow's TFJob and Ray's TensorflowTrainer set it
 * (tensorflow.org/api_docs/python/tf/distribute/cluster_resolver/TFConfigClusterResolver). Nothing here loads TensorFlow.
 */
import { z } from 'zod';
import { ClusterDefinitionError } from '../errors.js';

/** One of the processes that train together. */
export interface ClusterTask {
  /** Its number among all: 0 is the chief, who writes what is kept. */
  rank: number;
  /** What TF_CONFIG calls it: `chief` or `worker`, and its number among those. */
  job: string;
  index: number;
  /** `host:port`, where the others reach it. */
  address: string;
}

/** All processes that train together, in order of their ranks. */
export interface ClusterDefinition {
  tasks: ClusterTask[];
  /** This process's. */
  rank: number;
}

/** Jobs that train, the chief's first. */
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

/** A rank as people know it: `rank 1 (worker 0, 10.0.0.7:2222)`. */
export const describeTask = ({ rank, job, index, address }: ClusterTask): string =>
  `rank ${rank} (${job} ${index}, ${address})`;

/**
 * Reads TF_CONFIG.
 * @param environment default: the process's
 * @returns nothing where it is not set, or where it names one process alone
 * @throws ClusterDefinitionError when it cannot be understood, or asks for what there is not
 */
export function clusterOfEnvironment(environment: NodeJS.ProcessEnv = process.env): ClusterDefinition | undefined {
  const text = environment['TF_CONFIG']?.trim();
  if (!text) return undefined;
  const refuse = (what: string): never => {
    throw new ClusterDefinitionError(
      'TF_CONFIG_INVALID',
      `TF_CONFIG ${what}. It is to look like {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}; without it one process trains alone.`,
      { value: text },
    );
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    refuse(`is no JSON (${(error as Error).message})`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refuse(`is not as it should be: ${issue!.path.join('.') || 'the whole'}: ${issue!.message}`);
  }
  const { cluster = {}, task } = parsed.data;
  for (const job of Object.keys(cluster))
    if (!trainingJobs.includes(job) && cluster[job]!.length > 0)
      refuse(
        `has ${cluster[job]!.length} of '${job}', and there is no use for one: all ranks are workers, one of which may be called chief`,
      );
  const tasks = trainingJobs
    .flatMap((job) => (cluster[job] ?? []).map((address, index) => ({ job, index, address })))
    .map((each, rank): ClusterTask => ({ rank, ...each }));
  if (tasks.length <= 1) return undefined;
  if (!task) return refuse('does not say which task this process is');
  const own = tasks.find(({ job, index }) => job === task.type && index === task.index);
  if (!own) return refuse(`says that this is ${task.type} ${task.index}, which its cluster does not have`);
  for (const each of tasks) {
    if (!isAddress(each.address) || portOf(each.address) < 1 || portOf(each.address) > 65_535)
      refuse(`has '${each.address}' for ${each.job} ${each.index}, which is no host:port`);
    const twin = tasks.find(({ rank, address }) => rank < each.rank && address === each.address);
    if (twin) refuse(`has ${each.address} twice, for ${twin.job} ${twin.index} and for ${each.job} ${each.index}`);
  }
  return { tasks, rank: own.rank };
}
