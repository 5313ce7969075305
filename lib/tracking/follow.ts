/** Tracking during a job: starts the tracking thread, and ends it within a time limit. */
import { Worker } from 'node:worker_threads';
import type { MlflowSettings } from './mlflow-client.js';
import type { TrackingMessage, TrackingTask } from './tracking-worker.js';

/** Seconds to wait for the server at the end of a run, including the upload of the model. */
const finishTimeout = 600;
/** The same after a signal or the loss of a rank, when the process must end soon. */
const shortFinishTimeout = 5;

/** The tracking of a run. */
export interface Tracking {
  /** Sends the rest and stops. If the server has not received everything, a message says how to send it later. */
  finish(soon: boolean): Promise<void>;
}

/**
 * Starts to track a run in a thread.
 * @param note called with messages for the user
 */
export function startTracking(folder: string, settings: MlflowSettings, note: (message: string) => void): Tracking {
  const workerData: TrackingTask = { folder, settings };
  const worker = new Worker(new URL('./tracking-worker.js', import.meta.url), { workerData });
  // The thread must not keep the process alive.
  worker.unref();
  const over = new Promise<boolean>((resolve) => {
    worker.on('message', (message: TrackingMessage) => {
      if ('note' in message) note(message.note);
      else resolve(message.over.complete);
    });
    worker.on('error', (error) => {
      note(
        `MLflow: tracking failed with an internal error (${error.message}). Run 'npx tunebook track ${folder}' to send the rest.`,
      );
      resolve(false);
    });
    worker.on('exit', () => resolve(false));
  });
  return {
    async finish(soon) {
      worker.ref();
      worker.postMessage('over');
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(false), 1000 * (soon ? shortFinishTimeout : finishTimeout));
      });
      const complete = await Promise.race([over, timeout]);
      clearTimeout(timer);
      await worker.terminate();
      if (!complete)
        note(
          `The MLflow server has not received the whole run. When it is available, run: npx tunebook track ${folder}`,
        );
    },
  };
}
