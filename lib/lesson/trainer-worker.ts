/**
 * A worker of the lesson page that fine-tunes the whole model: the models, the optimizer and the Trainer that Node runs, on tfjs's
 * WebGPU or WASM backend (lib/browser). `node:fs` is a file system in memory. Bundled by build.ts.
 */
import fs from 'node:fs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-webgpu';
import { evaluate } from '../evaluation/evaluate.js';
import { writeSafetensors } from '../model/safetensors.js';
import { TextClassifier } from '../model/text-classifier.js';
import type { Review } from '../reviews/review.js';
import type { TrainingSettings } from '../settings/settings.js';
import { moveVariables } from '../tensorflow/tfjs/move-variables.js';
import { useBackend } from '../tensorflow/tfjs/runtime.js';
import { Trainer } from '../training/trainer.js';
import { useFastestBackend, type BackendName } from './fastest-backend.js';
import { readStoredWeights, type WeightPlace } from './stored-weights.js';

/** What the worker needs to train. */
export interface TrainingTask {
  /** config.json and the tokenizer's files, by name. */
  files: Record<string, ArrayBuffer>;
  /** The file with the weights, and where they are. */
  weights: { file: ArrayBuffer; places: Record<string, WeightPlace> };
  /** tfjs's backend for processors with SIMD. */
  wasm: ArrayBuffer;
  /** Class names. */
  labels: string[];
  train: Review[];
  test: Review[];
  settings: Partial<TrainingSettings>;
}

/** What the worker reports: progress, its result, or an error. */
export type TrainerMessage =
  | { step: number; totalSteps: number; loss: number; secondsLeft: number }
  | { error: string }
  | {
      /** What has computed. */
      backend: BackendName;
      /** `interrupted` if the page has stopped it. */
      end: string;
      steps: number;
      /** Time of the steps, in seconds. */
      seconds: number;
      /** Logits of the test reviews, [n * classes]. */
      logits: Float32Array;
      /** The trained model in Hugging Face's layout, by file name. */
      saved: Record<string, Uint8Array<ArrayBuffer>>;
    };

/** The worker's scope; Node has no types of it. */
const scope = globalThis as unknown as {
  postMessage: (message: TrainerMessage, transfer?: ArrayBuffer[]) => void;
  addEventListener: (name: 'message', listener: (event: { data: TrainingTask | 'stop' }) => void) => void;
};

const controller = new AbortController();

const createModel = (labels: string[]) => TextClassifier.fromFolder('/model', { labels });

/** Texts per evaluated batch; larger ones need more memory. */
const evalBatchSize = 16;

/** Trains, and evaluates and saves the model on WASM, where values can be read at any time. */
async function fineTune(backend: BackendName, { labels, train, test, settings }: TrainingTask): Promise<void> {
  const model = createModel(labels);
  // Kept for another attempt after an error of a graphics processor.
  if (backend === 'wasm') fs.rmSync('/model', { recursive: true });
  const trainer = new Trainer(model, settings);
  const { end, step, seconds } = await trainer.train(train, {
    signal: controller.signal,
    onRecord: ({ step, totalSteps, loss, secondsLeft }) => scope.postMessage({ step, totalSteps, loss, secondsLeft }),
  });
  if (backend !== 'wasm') await moveVariables(model.parameters.values(), 'wasm');
  const { logits } = await evaluate(model, model.encode(test, model.maxLength), { batchSize: evalBatchSize });
  model.save('/saved');
  const saved = Object.fromEntries(
    fs.readdirSync('/saved').map((name) => [name, new Uint8Array(fs.readFileSync(`/saved/${name}`))]),
  );
  scope.postMessage(
    { backend, end, steps: step, seconds, logits, saved },
    Object.values(saved).map(({ buffer }) => buffer),
  );
}

async function start(task: TrainingTask): Promise<void> {
  const { files, weights, wasm, labels, train, settings } = task;
  // WebKit does not let a worker of a page from a disk fetch the address of a blob.
  const address = `data:application/wasm;base64,${Buffer.from(wasm).toString('base64')}`;
  // All browsers in which the page works have SIMD. A page without isolation has no threads.
  setWasmPaths(
    Object.fromEntries(['', '-simd', '-threaded-simd'].map((kind) => [`tfjs-backend-wasm${kind}.wasm`, address])),
  );
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(`/model/${name}`, new Uint8Array(bytes));
  writeSafetensors('/model/model.safetensors', readStoredWeights(weights.file, weights.places));
  const { backend } = await useFastestBackend(() => createModel(labels), train.slice(0, settings.batchSize));
  try {
    await fineTune(backend, task);
  } catch (error) {
    if (backend === 'wasm') throw error;
    // Drivers of graphics processors fail for many reasons, such as lack of memory.
    await useBackend('wasm');
    await fineTune('wasm', task);
  }
}

scope.addEventListener('message', ({ data }) => {
  if (data === 'stop') controller.abort();
  else start(data).catch((error: unknown) => scope.postMessage({ error: String(error) }));
});
