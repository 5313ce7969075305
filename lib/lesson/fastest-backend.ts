/**
 * Chooses the backend of tfjs that fine-tunes in a browser. WebGPU is many times as fast as WebAssembly on some graphics processors and
 * slower on others, and drivers have errors: both compute the logits of a batch, and the results decide.
 */
import { packTexts } from '../model/batch.js';
import { batchTensors } from '../model/packed-texts.js';
import type { TextClassifier } from '../model/text-classifier.js';
import type { Review } from '../reviews/review.js';
import { useBackend } from '../tensorflow/tfjs/runtime.js';
import { tf } from '../tensorflow/runtime.js';

/** A backend. */
export type BackendName = 'wasm' | 'webgpu';

/** What was measured. */
export interface BackendChoice {
  backend: BackendName;
  /** Time of a forward pass, in seconds, by backend; none if only WebAssembly can be used. */
  seconds: Partial<Record<BackendName, number>>;
  /** The largest difference of two logits, relative to the largest logit. */
  difference?: number;
}

/** The largest difference with which results count as the same. */
const tolerance = 1e-3;

/** The logits of reviews, and the time of a forward pass after the first one, which compiles or allocates. */
async function computeLogits(
  model: TextClassifier,
  reviews: Review[],
): Promise<{ logits: Float32Array; seconds: number }> {
  const batch = packTexts(model.encode(reviews, model.maxLength).ids);
  let logits: Float32Array = new Float32Array();
  let seconds = 0;
  for (let pass = 0; pass < 2; pass++) {
    const started = performance.now();
    const inputs = batchTensors(batch, model.engine.layers);
    const result = model.forward.call({ ...inputs }).logits;
    logits = await result.data<'float32'>();
    tf.dispose([inputs, result]);
    seconds = (performance.now() - started) / 1000;
  }
  return { logits, seconds };
}

/** Whether there is a graphics processor, and not a program in its place. */
async function hasGraphicsProcessor(): Promise<boolean> {
  interface Adapter {
    isFallbackAdapter?: boolean;
    info?: { isFallbackAdapter?: boolean };
  }
  const { gpu } = (globalThis as unknown as { navigator: { gpu?: { requestAdapter: () => Promise<Adapter | null> } } })
    .navigator;
  const adapter = await gpu?.requestAdapter();
  return adapter ? !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter) : false;
}

/**
 * Selects the backend that computes fastest, and computes the same as WebAssembly. The program imports both packages.
 * @param create creates the model; it is disposed of
 * @param reviews a batch of the usual size
 * @param isAvailable whether WebGPU is tried. @default if there is a graphics processor
 * @throws TensorFlowLoadError if WebAssembly cannot be used
 */
export async function useFastestBackend(
  create: () => TextClassifier,
  reviews: Review[],
  isAvailable: () => Promise<boolean> = hasGraphicsProcessor,
): Promise<BackendChoice> {
  const compute = async (name: BackendName) => {
    await useBackend(name);
    const model = create();
    try {
      return await computeLogits(model, reviews);
    } finally {
      model.dispose();
    }
  };
  let choice: BackendChoice = { backend: 'wasm', seconds: {} };
  try {
    if (await isAvailable()) {
      const [expected, actual] = [await compute('wasm'), await compute('webgpu')];
      const scale = Math.max(...expected.logits.map(Math.abs));
      const difference = Math.max(...expected.logits.map((logit, i) => Math.abs(logit - actual.logits[i]!))) / scale;
      const seconds = { wasm: expected.seconds, webgpu: actual.seconds };
      // Not a number is not below the tolerance.
      const isBetter = difference < tolerance && seconds.webgpu < seconds.wasm;
      choice = { backend: isBetter ? 'webgpu' : 'wasm', seconds, difference };
    }
  } catch {
    // The browser offers WebGPU but cannot run the model with it.
  }
  await useBackend(choice.backend);
  return choice;
}
