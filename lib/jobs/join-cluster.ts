/** A job's ranks: who they are, waiting for each other, and being sure that all are about the same thing. */
import { DivergedError, RankFailedError, RankLostError, RanksDifferError } from '../errors.js';
import { describeTask, type ClusterDefinition } from '../distributed/cluster-definition.js';
import { refusePublicAddresses } from '../distributed/addresses.js';
import type { Cluster } from '../distributed/cluster.js';
import { settingsList, type Settings } from '../settings/settings.js';
import { version } from '../version.js';
import { exitCodeOf, messageOf } from '../runs/error-report.js';

/** What is to be the same on all ranks, by what it is called. */
export type Facts = Record<string, unknown>;

const written = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value ?? 'not given'));

/**
 * Compares what must be the same on all ranks.
 * @throws RanksDifferError on all ranks, naming each difference from the chief
 */
export function agree({ definition, ranks }: Pick<Cluster, 'definition' | 'ranks'>, facts: Facts): void {
  const [chief, ...others] = ranks.exchange(facts) as [Facts, ...Facts[]];
  const differences = others.flatMap((other, i) =>
    Object.keys(chief)
      .filter((name) => JSON.stringify(chief[name] ?? null) !== JSON.stringify(other[name] ?? null))
      .map(
        (name) =>
          `${name} is ${written(other[name])} on ${describeTask(definition.tasks[i + 1]!)}, and ${written(chief[name])} on ${describeTask(definition.tasks[0]!)}`,
      ),
  );
  if (differences.length > 0)
    throw new RanksDifferError(
      'RANKS_DIFFER',
      `The ranks were not started alike: ${differences.join('; ')}. Start all of them with the same command line, environment, version and data.`,
      { differences },
    );
}

/** Of these each rank may have its own. */
const own = new Set(['runFolder', 'clusterTimeout', 'allowPublicCluster']);

/**
 * Joins the cluster of this process for a job, and makes sure that all ranks were asked for the same.
 * @param asked what this rank was told; a run that goes on adds what it was begun with, on the chief
 * @param say told what is waited for
 * @throws ClusterDefinitionError for addresses that are public, RankLostError naming those who did not come, RanksDifferError
 */
export async function joinForJob(
  definition: ClusterDefinition,
  command: string,
  asked: Settings,
  say: (words: string) => void,
): Promise<Cluster> {
  const { tasks, rank } = definition;
  if (!asked.allowPublicCluster) await refusePublicAddresses(definition);
  say(`${describeTask(tasks[rank]!)} of ${tasks.length}: waiting for all to come, ${asked.clusterTimeout} s at most`);
  const [{ joinCluster }, { binding }, { commitOfCheckout }] = await Promise.all([
    import('../distributed/cluster.js'),
    import('../tensorflow/runtime.js'),
    import('../runs/environment.js'),
  ]);
  const cluster = joinCluster(definition, { timeout: asked.clusterTimeout });
  try {
    agree(cluster, {
      command,
      'Tunebook’s version': version,
      'Tunebook’s commit': commitOfCheckout(),
      'TensorFlow’s version': binding.TF_Version,
      ...Object.fromEntries(settingsList.filter(({ name }) => !own.has(name)).map(({ name }) => [name, asked[name]])),
    });
  } catch (thrown) {
    throw await endTogether(cluster, thrown);
  }
  return cluster;
}

/**
 * Leaves a cluster by an error: in order where all have met the same, else with word to the others, who end with the exit code
 * of this one.
 * @returns the error, explained
 */
export async function endTogether(cluster: Cluster, thrown: unknown): Promise<unknown> {
  const error = cluster.explain(thrown);
  if (error instanceof RanksDifferError || error instanceof DivergedError) await cluster.leave().catch(() => {});
  // Of who is lost, or has told of a fault, all know.
  else if (!(error instanceof RankLostError || error instanceof RankFailedError))
    await cluster.fail(exitCodeOf(error), messageOf(error));
  return error;
}
