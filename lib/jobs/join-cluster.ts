/** Joins a job's cluster and checks that all ranks were started with the same settings, versions and data. */
import { DivergedError, RankFailedError, RankLostError, RanksDifferError } from '../errors.js';
import { describeTask, type ClusterDefinition } from '../distributed/cluster-definition.js';
import { rejectPublicAddresses } from '../distributed/addresses.js';
import type { Cluster } from '../distributed/cluster.js';
import { settingsList, type Settings } from '../settings/settings.js';
import { version } from '../version.js';
import { exitCodeOf, messageOf } from '../runs/error-report.js';

/** Values that must be equal on all ranks, by name. */
export type Facts = Record<string, unknown>;

const format = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value ?? 'not given'));

/**
 * Checks that facts are equal on all ranks.
 * @throws RanksDifferError on all ranks, with each difference from the chief
 */
export function assertSameOnRanks({ definition, ranks }: Pick<Cluster, 'definition' | 'ranks'>, facts: Facts): void {
  const [chief, ...others] = ranks.exchange(facts) as [Facts, ...Facts[]];
  const differences = others.flatMap((other, i) =>
    Object.keys(chief)
      .filter((name) => JSON.stringify(chief[name] ?? null) !== JSON.stringify(other[name] ?? null))
      .map(
        (name) =>
          `${name} is ${format(other[name])} on ${describeTask(definition.tasks[i + 1]!)}, and ${format(chief[name])} on ${describeTask(definition.tasks[0]!)}`,
      ),
  );
  if (differences.length > 0)
    throw new RanksDifferError(
      'RANKS_DIFFER',
      `The ranks were started differently: ${differences.join('; ')}. Start all ranks with the same command line, environment, version and data.`,
      { differences },
    );
}

/** Settings that may differ between ranks. */
const settingsPerRank = new Set(['runFolder', 'clusterTimeout', 'allowPublicCluster']);

/**
 * Joins the cluster of this process, and checks that all ranks were started with the same command and settings.
 * @param settings the settings of this rank, without those of a run to resume, which the chief adds later
 * @param notify called with messages for the user
 * @throws ClusterDefinitionError for public addresses, RankLostError with the ranks that did not join, RanksDifferError
 */
export async function joinForJob(
  definition: ClusterDefinition,
  command: string,
  settings: Settings,
  notify: (message: string) => void,
): Promise<Cluster> {
  const { tasks, rank } = definition;
  if (!settings.allowPublicCluster) await rejectPublicAddresses(definition);
  notify(
    `${describeTask(tasks[rank]!)} of ${tasks.length}: waiting for all ranks to join, at most ${settings.clusterTimeout} s`,
  );
  const [{ joinCluster }, { binding }, { commitOfCheckout }] = await Promise.all([
    import('../distributed/cluster.js'),
    import('../tensorflow/runtime.js'),
    import('../runs/environment.js'),
  ]);
  const cluster = joinCluster(definition, { timeout: settings.clusterTimeout });
  try {
    assertSameOnRanks(cluster, {
      command,
      'Tunebook’s version': version,
      'Tunebook’s commit': commitOfCheckout(),
      'TensorFlow’s version': binding.TF_Version,
      ...Object.fromEntries(
        settingsList.filter(({ name }) => !settingsPerRank.has(name)).map(({ name }) => [name, settings[name]]),
      ),
    });
  } catch (thrown) {
    throw await endTogether(cluster, thrown);
  }
  return cluster;
}

/**
 * Leaves a cluster after an error. If all ranks have the same error, they leave together; otherwise the error is
 * reported to the other ranks, which end with the same exit code.
 * @returns the error, converted to a RankLostError or RankFailedError if the cluster caused it
 */
export async function endTogether(cluster: Cluster, thrown: unknown): Promise<unknown> {
  const error = cluster.explain(thrown);
  if (error instanceof RanksDifferError || error instanceof DivergedError) await cluster.leave().catch(() => {});
  // TensorFlow reports a lost rank, and a failure of another rank, to all ranks.
  else if (!(error instanceof RankLostError || error instanceof RankFailedError))
    await cluster.fail(exitCodeOf(error), messageOf(error));
  return error;
}
