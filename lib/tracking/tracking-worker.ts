/**
 * Sends a run to MLflow while it trains, from a thread of its own: a server that is slow to answer, or does not, costs the
 * trainer nothing. Words for the reader go to the main thread, and a message from there says that the run is over.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { MlflowError } from '../errors.js';
import { RunFolder } from '../runs/run-folder.js';
import { MlflowClient, type MlflowSettings } from './mlflow-client.js';
import { Tracker } from './tracker.js';

/** What the worker is told at its start. */
export interface TrackingWork {
  folder: string;
  settings: MlflowSettings;
}

/** What it says. */
export type TrackingNews = { note: string } | { over: { complete: boolean } };

const { folder, settings } = workerData as TrackingWork;
const say = (news: TrackingNews) => parentPort!.postMessage(news);
const tracker = new Tracker(new RunFolder(folder), new MlflowClient(settings), (note) => say({ note }));

/** Seconds between two sendings, and between two tries while the server cannot be had. */
const rhythm = 1;
const longestDelay = 60;
/** Tries in a row after the run's end. */
const lastTries = 2;

let over = false;
let wake = new AbortController();
parentPort!.on('message', () => {
  over = true;
  wake.abort();
});
const rest = async (seconds: number) => {
  await pause(1000 * seconds, undefined, { signal: wake.signal }).catch(() => {});
  wake = new AbortController();
};

let failures = 0;
let last = 0;
for (;;) {
  const isLast = over;
  try {
    await tracker.send();
    if (failures > 0) say({ note: `MLflow is back: what it had missed is there.` });
    failures = 0;
    last = 0;
    if (isLast) {
      say({ over: { complete: true } });
      break;
    }
    await rest(rhythm);
  } catch (error) {
    const passing = error instanceof MlflowError && error.transient;
    if (failures++ === 0)
      say({
        note: `MLflow: ${(error as Error).message}. Training goes on; ${passing ? 'what is missed is sent when it answers' : `'tunebook track ${folder}' sends it when that is mended`}.`,
      });
    if (isLast && (!passing || ++last >= lastTries)) {
      say({ over: { complete: false } });
      break;
    }
    if (!passing && !over) await new Promise((resolve) => parentPort!.once('message', resolve));
    else await rest(isLast ? rhythm : Math.min(2 ** failures, longestDelay));
  }
}
parentPort!.close();
