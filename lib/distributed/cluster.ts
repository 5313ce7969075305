/**
 * Joins, monitors and leaves the cluster that TF_CONFIG describes. TensorFlow's coordination service runs on the chief:
 * if a rank dies or freezes, the next sum on the other ranks fails. Each rank also checks the others regularly.
 */
import { describeTask, type ClusterDefinition } from './cluster-definition.js';
import { explainClusterError, failureMessage } from './cluster-error.js';
import { CollectiveRanks } from './collectives.js';
import type { Ranks } from './ranks.js';
import { backend, binding } from '../tensorflow/runtime.js';
import { serverDef, taskName } from './server-def.js';

/** Seconds without a heartbeat after which a rank is lost; with checks at this interval, up to twice as long. */
const heartbeatTimeout = 6;

/** Seconds between two checks of the other ranks. */
const checkInterval = 2;

/** Seconds within which all ranks must complete the last barrier. */
const leaveTimeout = 60;

/** Milliseconds before the chief exits, so that the last messages of its coordination service arrive. */
const chiefExitDelay = 500;
const delayChiefExit = () => new Promise((resolve) => setTimeout(resolve, chiefExitDelay));

/** A cluster that this process has joined. */
export interface Cluster {
  definition: ClusterDefinition;
  ranks: Ranks;
  /** Checks the other ranks at an interval until `leave`. @param onLost called once if a rank is lost */
  watch(onLost: (error: Error) => void): void;
  /** Converts an error of TensorFlow that concerns the cluster; returns any other error unchanged. */
  explain(error: unknown): unknown;
  /** Reports an error of this rank to the other ranks, which then end too. */
  fail(exitCode: number, message: string): Promise<void>;
  /**
   * Waits until all ranks are ready to leave, and leaves the cluster.
   * @throws RankLostError if a rank was lost before that
   */
  leave(): Promise<void>;
}

/**
 * Joins the cluster and blocks until all ranks have joined. Must be called before any tensor is created, since joining
 * replaces the devices.
 * @param options.timeout seconds to wait for all ranks
 * @throws RankLostError with the ranks that did not join
 */
export function joinCluster(definition: ClusterDefinition, { timeout }: { timeout: number }): Cluster {
  const { tasks, rank } = definition;
  try {
    binding.joinCluster(
      serverDef(definition, {
        registerTimeout: 1000 * timeout,
        heartbeatTimeout: 1000 * heartbeatTimeout,
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
  const stopChecks = () => {
    clearInterval(timer);
    timer = undefined;
  };
  return {
    definition,
    ranks,
    watch(onLost) {
      timer = setInterval(() => {
        try {
          for (const other of others) binding.checkPeer(taskName(other), 1000 * heartbeatTimeout);
        } catch (error) {
          stopChecks();
          onLost(explain(error) as Error);
        }
      }, 1000 * checkInterval).unref();
    },
    explain,
    async fail(exitCode, message) {
      stopChecks();
      try {
        binding.reportError(failureMessage(rank, exitCode, message));
      } catch {
        // No rank is left to report to.
      }
      if (rank === 0) await delayChiefExit();
    },
    async leave() {
      stopChecks();
      try {
        // The other ranks wait here while the chief writes results: a sum fails as soon as a rank is lost.
        ranks.sumNumbers(new Float32Array(1));
        // A rank that left now would take away data that a slower rank has not fetched yet.
        binding.waitAtBarrier('tunebook: all ranks are done', 1000 * leaveTimeout);
      } catch (error) {
        throw explain(error);
      }
      if (rank === 0) await delayChiefExit();
    },
  };
}

function joiningError(definition: ClusterDefinition, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(
    `${describeTask(definition.tasks[definition.rank]!)} could not join the cluster: ${reason.replace(/^Invalid TF_Status: \d+\s+Message: /, '')}`,
    { cause: error },
  );
}
