/** Tracking of a run that is under way, as the job sees it: begun, and ended without waiting for ever. */
import { Worker } from 'node:worker_threads';
import type { MlflowSettings } from './mlflow-client.js';
import type { TrackingNews, TrackingWork } from './tracking-worker.js';

/** Seconds that the end of a run waits for a server, at most: a model takes its time. */
const patience = 600;
/** And where the process is to end soon, since a signal asked it to. */
const haste = 5;

export interface Tracking {
  /** Sends what is left. @returns whether all is there */
  finish(soon: boolean): Promise<boolean>;
}

/** @param note told what the reader should know */
export function followRun(folder: string, settings: MlflowSettings, note: (words: string) => void): Tracking {
  const work: TrackingWork = { folder, settings };
  const worker = new Worker(new URL('./tracking-worker.js', import.meta.url), { workerData: work });
  // The job's end is not its concern alone.
  worker.unref();
  const over = new Promise<boolean>((resolve) => {
    worker.on('message', (news: TrackingNews) => {
      if ('note' in news) note(news.note);
      else resolve(news.over.complete);
    });
    worker.on('error', (error) => {
      note(
        `MLflow: tracking has ended by a mistake of its own (${error.message}). 'tunebook track ${folder}' sends what is missing.`,
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
      const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(false), 1000 * (soon ? haste : patience));
      });
      const complete = await Promise.race([over, late]);
      clearTimeout(timer);
      await worker.terminate();
      return complete;
    },
  };
}
