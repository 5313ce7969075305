/** Converts TensorFlow's errors about lost and failed ranks to errors for the user. Does not load TensorFlow. */
import { RankFailedError, RankLostError } from '../errors.js';
import { settingText } from '../settings/setting-text.js';
import { describeTask, type ClusterDefinition, type ClusterTask } from './cluster-definition.js';

/** Markers of a failed rank's message inside an error message of TensorFlow. */
const failureMarkers = { begin: 'tunebook-failure:', end: ':tunebook-end' };

/**
 * Encodes the failure of this rank for the other ranks.
 * @param message the error message for the user
 */
export const failureMessage = (rank: number, exitCode: number, message: string): string =>
  failureMarkers.begin +
  Buffer.from(JSON.stringify({ rank, exitCode, message })).toString('base64') +
  failureMarkers.end;

/** Decodes the failure of another rank; returns undefined if the message contains none. */
function parseFailure(message: string): { rank: number; exitCode: number; message: string } | undefined {
  const begin = message.indexOf(failureMarkers.begin);
  const end = message.indexOf(failureMarkers.end, begin);
  if (begin < 0 || end < 0) return undefined;
  const text = Buffer.from(message.slice(begin + failureMarkers.begin.length, end), 'base64').toString();
  return JSON.parse(text) as { rank: number; exitCode: number; message: string };
}

/** The other tasks in a message of TensorFlow, `/job:worker/replica:0/task:1` or without the replica. */
function namedTasks({ tasks, rank }: ClusterDefinition, message: string): ClusterTask[] {
  // The first task at a barrier is not the one that is missing.
  const text = message.replace(/The first task at the barrier: \S+/g, '');
  const names = [...text.matchAll(/\/job:(\w+)(?:\/replica:\d+)?\/task:(\d+)/g)];
  return tasks.filter(
    (task) => task.rank !== rank && names.some(([, job, index]) => job === task.job && Number(index) === task.index),
  );
}

const isClusterError = (message: string) =>
  /Collective ops is aborted|CoordinationService|coordination|WorkerService|Barrier timed out|heartbeat/i.test(message);

const remedy = 'All ranks end, since none can continue alone. Restart all of them with --resume.';

/**
 * Converts an error of TensorFlow that concerns the cluster.
 * @param joining whether the ranks were still joining
 * @returns undefined for any other error; an error that has been converted already is returned unchanged
 */
export function explainClusterError(
  cluster: ClusterDefinition,
  error: unknown,
  joining = false,
): RankLostError | RankFailedError | undefined {
  if (error instanceof RankLostError || error instanceof RankFailedError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const failure = parseFailure(message);
  if (failure) {
    const task = cluster.tasks[failure.rank]!;
    return new RankFailedError(
      `${describeTask(task)} failed, and all ranks end with it: ${failure.message}`,
      failure.exitCode,
    );
  }
  if (!isClusterError(message)) return undefined;
  const named = namedTasks(cluster, message);
  // The chief runs the coordination service, so an error without a task concerns the chief.
  const lost = named.length > 0 ? named : cluster.rank === 0 ? [] : [cluster.tasks[0]!];
  const names = lost.length > 0 ? lost.map(describeTask).join(', ') : 'A rank';
  const first = message.replace(/^Invalid TF_Status: \d+\s+Message: /, '').split('\n')[0];
  if (joining)
    return new RankLostError(
      'RANK_NOT_JOINED',
      `${names} did not join in time. Check that it was started with the same TF_CONFIG except for the task, and that its port is reachable from here. ${settingText('clusterTimeout')} sets the time to wait. (TensorFlow: ${first})`,
      { ranks: lost.map(({ rank }) => rank) },
      { cause: error },
    );
  const frozen = /stopped sending heartbeats|Deadline Exceeded/i.test(message);
  return new RankLostError(
    'RANK_LOST',
    `${names} was lost: ${frozen ? 'it sends no heartbeats, since its process or machine is frozen or the network is down' : 'its process ended, or its machine or the network failed'}. ${remedy} (TensorFlow: ${first})`,
    { ranks: lost.map(({ rank }) => rank) },
    { cause: error },
  );
}
