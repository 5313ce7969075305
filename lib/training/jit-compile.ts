/**
 * Decides whether XLA compiles the graphs of a training run. On a GPU, XLA fuses memory-bound kernels, but compiling
 * the graph of each batch shape takes seconds to minutes, which pays off for long runs only. Both are measured once per
 * GPU.
 *
 * On a CPU, XLA is not used: the fused kernels, which it cannot compile, are faster (lib/tensorflow/README.md).
 */
import { TextClassifier } from '../model/text-classifier.js';
import type { EncoderConfig } from '../model/config.js';
import type { Model } from '../model/model.js';
import { minSpeedup, storedMeasurement, median } from '../tensorflow/measurements.js';
import type { Precision } from '../tensorflow/kernels.js';
import type { Ranks } from '../distributed/ranks.js';
import { TrainingStep } from './step.js';
import { classification } from './tasks/classification.js';
import { packTexts, type LabeledBatch } from '../model/batch.js';
import { sizesOfBatches } from '../model/packed-texts.js';

/** Seconds per encoder layer, of a training step on a batch of `measuredShape` and of compiling the step's graph. */
export interface LayerSeconds {
  /** A step with the uncompiled graph. */
  graph: number;
  /** A step with the compiled graph; undefined if XLA cannot compile on this machine. */
  xla?: number;
  /** Compilation of one graph. */
  compiling?: number;
}

/** The decision for or against XLA, with its reason. */
export interface JitCompileChoice {
  jitCompile: boolean;
  /** The measurement; undefined if nothing was measured. */
  reason?: string;
}

/** The size of a training run. */
export interface TrainingWork {
  /** Number of optimizer steps, each of one or several batches. */
  batches: number;
  /** Texts per batch. */
  batchSize: number;
  /** Number of batch shapes, each of which is a graph to compile. */
  shapes: number;
  /** Number of encoder layers. */
  layers: number;
}

/** The shape of the measured batch: number of texts, and tokens of each. */
const measuredShape = { batch: 32, tokens: 128 };

const rounds = 5;

/**
 * Measures a training step of a classifier with one encoder layer, with the uncompiled graph and with the graph
 * compiled by XLA. On a GPU it takes about as long as XLA needs to compile one layer.
 * @param config the model's configuration, of which the layer sizes are used
 * @param precision of the matrix products
 */
export async function measureLayer(config: EncoderConfig, precision: Precision): Promise<LayerSeconds> {
  const { batch, tokens } = measuredShape;
  const texts = Array.from({ length: batch }, () => Int32Array.from({ length: tokens }, (_, i) => 5 + (i % 90)));
  const rows: LabeledBatch = { ...packTexts(texts), labels: new Int32Array(batch) };
  const small = { ...config, n_layers: 1, vocab_size: 100 };
  const createStep = async (jitCompile: boolean) => {
    const model = TextClassifier.create(small, { precision, jitCompile });
    const step = new TrainingStep(model, classification);
    const dispose = () => {
      step.dispose();
      model.dispose();
    };
    try {
      // The first step captures the graph and compiles it.
      await step.run([rows], 1e-5);
    } catch (error) {
      dispose();
      throw error;
    }
    const seconds = async () => {
      const start = performance.now();
      await step.run([rows], 1e-5);
      return (performance.now() - start) / 1000;
    };
    return { seconds, captured: step.captured.seconds, dispose };
  };
  const graph = await createStep(false);
  let xla: typeof graph | undefined;
  try {
    xla = await createStep(true);
  } catch {
    // XLA cannot compile on this machine. On a GPU it needs ptxas and libdevice.
  }
  const times: [number, number | undefined][] = [];
  for (let round = 0; round < rounds; round++) times.push([await graph.seconds(), await xla?.seconds()]);
  const result: LayerSeconds = { graph: median(times.map(([plain]) => plain)) };
  if (xla) {
    result.xla = median(times.map(([, compiled]) => compiled!));
    result.compiling = Math.max(0, xla.captured - graph.captured);
  }
  graph.dispose();
  xla?.dispose();
  return result;
}

/**
 * Decides whether XLA is at least 10 % faster and saves more time than the compilation takes.
 * @param seconds the result of measureLayer
 * @param work the size of the run
 */
export function shouldCompile({ graph, xla, compiling }: LayerSeconds, work: TrainingWork): JitCompileChoice {
  if (xla === undefined || compiling === undefined)
    return { jitCompile: false, reason: 'XLA cannot compile on this machine' };
  const { batches, batchSize, shapes, layers } = work;
  const cost = shapes * layers * compiling;
  const saved = batches * (batchSize / measuredShape.batch) * layers * (graph - xla);
  return {
    jitCompile: graph / xla >= minSpeedup && saved > cost,
    reason:
      `XLA is ${(graph / xla).toFixed(2)} times as fast (measured)` +
      (saved > 0 ? `, saves ${Math.round(saved)} s, and takes ${Math.round(cost)} s to compile` : ''),
  };
}

/**
 * Decides whether XLA compiles a run's training steps.
 * @param model the model to train; if its engine's `jitCompile` is `auto`, one encoder layer is measured
 * @param work number and size of the batches
 * @param ranks processes that train together; XLA cannot compile sums over several
 */
export async function chooseJitCompile(
  { config, engine }: Model,
  work: Pick<TrainingWork, 'batches' | 'batchSize'>,
  ranks: Ranks,
): Promise<JitCompileChoice> {
  if (engine.jitCompile !== 'auto') return { jitCompile: engine.jitCompile };
  if (engine.eager || ranks.size > 1) return { jitCompile: false };
  const { dim, hidden_dim: hidden, n_heads: heads, n_layers: layers } = config;
  const { value, store } = storedMeasurement<LayerSeconds>(
    `encoder layer, ${dim}, ${hidden}, ${heads} heads, ${engine.precision}`,
    ({ graph, xla, compiling }) => [graph, xla, compiling].every((each) => Number.isFinite(each) && each! >= 0),
  );
  const seconds = value ?? store(await measureLayer(config, engine.precision));
  // One more shape for the smaller batch at the end of an epoch.
  const shapes = sizesOfBatches + 1;
  return shouldCompile(seconds, { ...work, shapes, layers });
}
