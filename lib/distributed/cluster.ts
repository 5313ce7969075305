/**
 * Joining the cluster that TF_CONFIG describes, watching over it, and leaving it. TensorFlow's coordination service runs on
 * the chief: a rank that dies or freezes is an error at the others' next sum. What computes and waits for no sum looks
 * itself, now and then.
 */
import { describeTask, type ClusterDefinition } from './cluster-definition.js';
import { explainClusterError, failureMessage } from './cluster-error.js';
import { CollectiveRanks } from './collectives.js';
import type { Ranks } from './ranks.js';
import { backend, binding } from '../tensorflow/runtime.js';
import { serverDef, taskName } from './server-def.js';

/** Seconds without a sign of life after which a rank is given up; the service looks as rarely, so that it may take twice as long. */
const heartbeat = 6;

/** Seconds between two looks at the others, where no sum would tell. */
const pause = 2;

/** Seconds that ranks take at most to be through with a last sum that all have come to. */
const farewell = 60;

/** Milliseconds that the chief, whose process carries the service, stays when the last word is said: it must arrive. */
const chiefStays = 500;
const staying = () => new Promise((resolve) => setTimeout(resolve, chiefStays));

/** A cluster that this process is a part of. */
export interface Cluster {
  definition: ClusterDefinition;
  ranks: Ranks;
  /** Looks at the other ranks now and then until `leave`. @param onLost called once when one is gone */
  watch(onLost: (error: Error) => void): void;
  /** What an error says of the cluster; the error itself where it says nothing. */
  explain(error: unknown): unknown;
  /** Tells the others that this rank ends by a fault, which ends them too. */
  fail(exitCode: number, words: string): Promise<void>;
  /**
   * Waits for the others to be through, and has no part in the cluster any more.
   * @throws RankLostError where one was lost before it was through
   */
  leave(): Promise<void>;
}

/**
 * Joins, and waits for the others: JavaScript stands still until all have come. Before the first tensor, since joining
 * replaces the devices.
 * @param options.timeout seconds in which all must have come
 * @throws RankLostError naming the ranks that have not
 */
export function joinCluster(definition: ClusterDefinition, { timeout }: { timeout: number }): Cluster {
  const { tasks, rank } = definition;
  try {
    binding.joinCluster(
      serverDef(definition, {
        registerTimeout: 1000 * timeout,
        heartbeatTimeout: 1000 * heartbeat,
        nccl: backend.isUsingGpuDevice,
      }),
    );
  } catch (error) {
    throw explainClusterError(definition, error, true) ?? joiningError(definition, error);
  }
  const others = tasks.filter((task) => task.rank !== rank);
  const ranks = new CollectiveRanks(rank, tasks.length);
  let timer: NodeJS.Timeout | undefined;
  const explain = (error: unknown): unknown => explainClusterError(definition, error) ?? error;
  const stopWatching = () => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    definition,
    ranks,
    watch(onLost) {
      timer = setInterval(() => {
        try {
          for (const other of others) binding.checkPeer(taskName(other), 1000 * heartbeat);
        } catch (error) {
          stopWatching();
          onLost(explain(error) as Error);
        }
      }, 1000 * pause).unref();
    },
    explain,
    async fail(exitCode, words) {
      stopWatching();
      try {
        binding.reportError(failureMessage(rank, exitCode, words));
      } catch {
        // Whoever could be told is gone.
      }
      if (rank === 0) await staying();
    },
    async leave() {
      stopWatching();
      try {
        // For the chief, who may have a report to write: a sum ends as soon as somebody is lost.
        ranks.sumNumbers(new Float32Array(1));
        // Whoever went now would take away what a slower one has not yet fetched.
        binding.waitAtBarrier('tunebook: all are through', 1000 * farewell);
      } catch (error) {
        throw explain(error);
      }
      if (rank === 0) await staying();
    },
  };
}

function joiningError(definition: ClusterDefinition, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(
    `${describeTask(definition.tasks[definition.rank]!)} could not join its cluster: ${reason.replace(/^Invalid TF_Status: \d+\s+Message: /, '')}`,
    { cause: error },
  );
}
