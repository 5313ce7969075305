/**
 * Whether XLA compiles the graphs of a training run. On a GPU it joins kernels that otherwise wait for memory one after another, but
 * compiling the graph of each shape of batch takes seconds to minutes: it pays for long runs only. Both are measured, once per GPU.
 *
 * On a CPU the answer is no: the fused kernels, which XLA does not know, are faster (README, "Fast").
 */
import { TextClassifier } from '../model/text-classifier.js';
import type { EncoderConfig } from '../model/config.js';
import type { Model } from '../model/model.js';
import { leastSpeedup, measuredOnce, median } from '../tensorflow/measurements.js';
import type { Precision } from '../tensorflow/kernels.js';
import type { Ranks } from '../distributed/ranks.js';
import { TrainingStep } from './step.js';
import { classification } from './tasks/classification.js';
import { type LabelledBatch, paddedLengths } from '../model/batch.js';

/** Seconds for an encoder layer: its part of a training step on a batch of `measured` shape, and of compiling the step's graph. */
export interface LayerSeconds {
  /** A step by the graph as it is. */
  graph: number;
  /** A step by the compiled graph; undefined if XLA cannot compile here. */
  xla?: number;
  /** Compiling one graph. */
  compiling?: number;
}

/** Whether XLA compiles, and why. */
export interface JitCompileChoice {
  jitCompile: boolean;
  /** The measurement; undefined if nothing was measured. */
  reason?: string;
}

/** How much a run will compute. */
export interface TrainingWork {
  /** Updates, each of one batch or several. */
  batches: number;
  /** Texts in a batch. */
  batchSize: number;
  /** Shapes of batches, each of which is a graph to compile. */
  shapes: number;
  /** Encoder layers. */
  layers: number;
}

/** The shape of the measured batch: texts and tokens of each. */
const measured = { batch: 32, tokens: 128 };

const rounds = 5;

/**
 * Measures a training step of a classifier with one encoder layer, by the graph as it is and compiled by XLA. On a GPU it takes what XLA
 * takes to compile one layer.
 * @param config of the model, whose widths count
 * @param precision of the matrix products
 */
export function measureLayer(config: EncoderConfig, precision: Precision): LayerSeconds {
  const { batch, tokens } = measured;
  const inputIds = Int32Array.from({ length: batch * tokens }, (_, i) => 5 + (i % 90));
  const rows: LabelledBatch = {
    ...measured,
    inputIds,
    lengths: new Int32Array(batch).fill(tokens),
    labels: new Int32Array(batch),
  };
  const small = { ...config, n_layers: 1, vocab_size: 100 };
  const stepsBy = (jitCompile: boolean) => {
    const model = TextClassifier.create(small, { precision, jitCompile });
    const step = new TrainingStep(model, classification);
    const dispose = () => {
      step.dispose();
      model.dispose();
    };
    try {
      // The first captures, the second compiles.
      for (let i = 0; i < 2; i++) step.run([rows], 1e-5);
    } catch (error) {
      dispose();
      throw error;
    }
    const seconds = () => {
      const from = performance.now();
      step.run([rows], 1e-5);
      return (performance.now() - from) / 1000;
    };
    return { seconds, captured: step.captured.seconds, dispose };
  };
  const graph = stepsBy(false);
  let xla: typeof graph | undefined;
  try {
    xla = stepsBy(true);
  } catch {
    // XLA cannot compile here: on a GPU it needs ptxas and libdevice.
  }
  const times = Array.from({ length: rounds }, () => [graph.seconds(), xla?.seconds()] as const);
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
 * Whether compiling saves more time than it takes, and XLA is at least 10 % faster.
 * @param seconds of measureLayer
 * @param work that the run is to do
 */
export function worthCompiling({ graph, xla, compiling }: LayerSeconds, work: TrainingWork): JitCompileChoice {
  if (xla === undefined || compiling === undefined) return { jitCompile: false, reason: 'XLA cannot compile here' };
  const { batches, batchSize, shapes, layers } = work;
  const cost = shapes * layers * compiling;
  const saved = batches * (batchSize / measured.batch) * layers * (graph - xla);
  return {
    jitCompile: graph / xla >= leastSpeedup && saved > cost,
    reason:
      `XLA measured ${(graph / xla).toFixed(2)} times as fast` +
      (saved > 0 ? `, would save ${Math.round(saved)} s and compile for ${Math.round(cost)} s` : ''),
  };
}

/**
 * Decides whether XLA compiles a run's training steps.
 * @param model to be trained; its engine's setting decides, and `auto` measures
 * @param longest tokens of the longest text, from which the number of shapes follows
 * @param work how many batches of how many texts
 * @param ranks that train together: sums over several are not for XLA
 */
export function chooseJitCompile(
  { config, engine }: Model,
  longest: number,
  work: Pick<TrainingWork, 'batches' | 'batchSize'>,
  ranks: Ranks,
): JitCompileChoice {
  if (engine.jitCompile !== 'auto') return { jitCompile: engine.jitCompile };
  if (engine.eager || ranks.size > 1) return { jitCompile: false };
  const { dim, hidden_dim: hidden, n_heads: heads, n_layers: layers } = config;
  const seconds = measuredOnce<LayerSeconds>(
    `encoder layer, ${dim}, ${hidden}, ${heads} heads, ${engine.precision}`,
    ({ graph, xla, compiling }) => [graph, xla, compiling].every((each) => Number.isFinite(each) && each! >= 0),
    () => measureLayer(config, engine.precision),
  );
  // And the smaller batch at the end of an epoch.
  const shapes = paddedLengths(longest) + 1;
  return worthCompiling(seconds, { ...work, shapes, layers });
}
