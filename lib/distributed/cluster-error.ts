/** Ranks that were lost, that failed, or that do not fit together, in words for people. On its own, so that commands can name it without loading TensorFlow. */
import { RankFailedError, RankLostError } from '../errors.js';
import { describeTask, type ClusterDefinition, type ClusterTask } from './cluster-definition.js';

/** What a rank that fails tells the others, between other words of TensorFlow's. */
const failure = { begin: 'tunebook-failure:', end: ':tunebook-end' };

/** @param words why it fails, for people */
export const failureMessage = (rank: number, exitCode: number, words: string): string =>
  failure.begin + Buffer.from(JSON.stringify({ rank, exitCode, words })).toString('base64') + failure.end;

function toldFailure(message: string): { rank: number; exitCode: number; words: string } | undefined {
  const begin = message.indexOf(failure.begin);
  const end = message.indexOf(failure.end, begin);
  if (begin < 0 || end < 0) return undefined;
  const text = Buffer.from(message.slice(begin + failure.begin.length, end), 'base64').toString();
  return JSON.parse(text) as { rank: number; exitCode: number; words: string };
}

/** The tasks that TensorFlow's words name, `/job:worker/replica:0/task:1` or without the replica, others than this one. */
function namedTasks({ tasks, rank }: ClusterDefinition, message: string): ClusterTask[] {
  // Who came to a barrier first is not who is missing.
  const words = message.replace(/The first task at the barrier: \S+/g, '');
  const names = [...words.matchAll(/\/job:(\w+)(?:\/replica:\d+)?\/task:(\d+)/g)];
  return tasks.filter(
    (task) => task.rank !== rank && names.some(([, job, index]) => job === task.job && Number(index) === task.index),
  );
}

const isOfCluster = (message: string) =>
  /Collective ops is aborted|CoordinationService|coordination|WorkerService|Barrier timed out|heartbeat/i.test(message);

const afterwards = 'All ranks end, since none can go on alone. Start all of them again with --resume.';

/**
 * What an error of TensorFlow's says of the cluster.
 * @param joining whether the ranks were still waiting for each other
 * @returns nothing for an error of another kind; what was explained already as it is
 */
export function explainClusterError(
  cluster: ClusterDefinition,
  error: unknown,
  joining = false,
): RankLostError | RankFailedError | undefined {
  if (error instanceof RankLostError || error instanceof RankFailedError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const told = toldFailure(message);
  if (told) {
    const task = cluster.tasks[told.rank]!;
    return new RankFailedError(`${describeTask(task)} has failed, and all end with it: ${told.words}`, told.exitCode);
  }
  if (!isOfCluster(message)) return undefined;
  const named = namedTasks(cluster, message);
  // The service that watches over all is the chief's.
  const lost = named.length > 0 ? named : cluster.rank === 0 ? [] : [cluster.tasks[0]!];
  const who = lost.length > 0 ? lost.map(describeTask).join(', ') : 'Some rank';
  const first = message.replace(/^Invalid TF_Status: \d+\s+Message: /, '').split('\n')[0];
  if (joining)
    return new RankLostError(
      'RANK_NOT_JOINED',
      `${who} did not come in time. Was it started, with the same TF_CONFIG but for its task, and can its port be reached from here? --cluster-timeout gives it longer. (TensorFlow: ${first})`,
      { ranks: lost.map(({ rank }) => rank) },
      { cause: error },
    );
  const frozen = /stopped sending heartbeats|Deadline Exceeded/i.test(message);
  return new RankLostError(
    'RANK_LOST',
    `${who} was lost: ${frozen ? 'it gives no sign of life; its process or its machine is frozen, or the network between' : 'its process has ended, or its machine or the network between is gone'}. ${afterwards} (TensorFlow: ${first})`,
    { ranks: lost.map(({ rank }) => rank) },
    { cause: error },
  );
}
