/**
 * The tracking thread: sends a run to MLflow during training, so that a slow or unreachable server does not delay it.
 * It posts messages for the user to the main thread; any message from there means that the run has ended.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { MlflowError } from '../errors.js';
import { RunFolder } from '../runs/run-folder.js';
import { MlflowClient, type MlflowSettings } from './mlflow-client.js';
import { Tracker } from './tracker.js';

/** The thread's task, its `workerData`. */
export interface TrackingTask {
  folder: string;
  settings: MlflowSettings;
}

/** A message of the thread: one for the user, or the end of tracking. */
export type TrackingMessage = { note: string } | { over: { complete: boolean } };

const { folder, settings } = workerData as TrackingTask;
const post = (message: TrackingMessage) => parentPort!.postMessage(message);
const tracker = new Tracker(new RunFolder(folder), new MlflowClient(settings), (note) => post({ note }));

/** Seconds between two requests. */
const interval = 1;
/** Maximum delay between two attempts in seconds, while the server is unreachable. */
const maxDelay = 60;
/** Maximum number of consecutive attempts after the end of the run. */
const maxFinalAttempts = 2;

let over = false;
let wake = new AbortController();
parentPort!.on('message', () => {
  over = true;
  wake.abort();
});
const sleep = async (seconds: number) => {
  await pause(1000 * seconds, undefined, { signal: wake.signal }).catch(() => {});
  wake = new AbortController();
};

let failures = 0;
let finalAttempts = 0;
for (;;) {
  const isLast = over;
  try {
    await tracker.send();
    if (failures > 0) post({ note: 'MLflow is reachable again and has received everything so far.' });
    failures = 0;
    finalAttempts = 0;
    if (isLast) {
      post({ over: { complete: true } });
      break;
    }
    await sleep(interval);
  } catch (error) {
    const isTransient = error instanceof MlflowError && error.transient;
    if (failures++ === 0)
      post({
        note: `MLflow: ${(error as Error).message}. Training continues; ${isTransient ? 'the rest is sent when the server responds' : `when this is fixed, run 'npx tunebook track ${folder}' to send the rest`}.`,
      });
    if (isLast && (!isTransient || ++finalAttempts >= maxFinalAttempts)) {
      post({ over: { complete: false } });
      break;
    }
    if (!isTransient && !over) await new Promise((resolve) => parentPort!.once('message', resolve));
    else await sleep(isLast ? interval : Math.min(2 ** failures, maxDelay));
  }
}
parentPort!.close();
