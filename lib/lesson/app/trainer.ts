/** The page's side of the worker that fine-tunes the whole model. */
import type { TrainerMessage, TrainingTask } from '../trainer-worker.js';
import type { WeightPlace } from '../stored-weights.js';
import { modelFiles } from './encoder.js';
import { loadFile } from './files.js';

/** Files that only training needs. */
export const trainerFiles = ['trainer-worker.js', 'tfjs.wasm', 'weights.json'];

/** The state after a step. */
export type TrainingProgress = Extract<TrainerMessage, { step: number }>;

/** What training gives. */
export type TrainedModel = Extract<TrainerMessage, { end: string }>;

/** A worker that trains. */
export interface TrainerWorker {
  /** Undefined if it was ended. */
  result: Promise<TrainedModel | undefined>;
  /** Ends training after the current step; the result is that of the steps so far. */
  stop: () => void;
  /** Ends training at once, without a result. */
  end: () => void;
}

/**
 * Fine-tunes the whole model in a worker.
 * @param onProgress called after each step
 * @throws Error with a message for the user if a file cannot be loaded, or if the browser cannot train, for lack of memory for example
 */
export async function startTraining(
  task: Pick<TrainingTask, 'labels' | 'train' | 'test' | 'settings'>,
  onProgress: (progress: TrainingProgress) => void,
): Promise<TrainerWorker> {
  const code = await loadFile('trainer-worker.js');
  const wasm = await loadFile('tfjs.wasm');
  const places = JSON.parse(new TextDecoder().decode(await loadFile('weights.json'))) as Record<string, WeightPlace>;
  const file = await loadFile('model.onnx');
  const files: Record<string, ArrayBuffer> = {};
  for (const name of modelFiles) if (name !== 'model.onnx') files[name] = await loadFile(name);
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
  let end = () => {};
  const result = new Promise<TrainedModel | undefined>((resolve, reject) => {
    end = () => resolve(undefined);
    worker.onerror = ({ message }) => reject(new Error(`Training failed: ${message}`));
    worker.onmessage = ({ data }: MessageEvent<TrainerMessage>) => {
      if ('error' in data) reject(new Error(`Training failed: ${data.error}`));
      else if ('end' in data) resolve(data);
      else onProgress(data);
    };
  });
  worker.postMessage({ ...task, files, wasm, weights: { file, places } } satisfies TrainingTask);
  return { result: result.finally(() => worker.terminate()), stop: () => worker.postMessage('stop'), end };
}
