/**
 * One training step: forward, back, clipping and AdamW, as one TensorFlow function a shape of batch. What is read back is
 * the loss and the length of the gradient. Batches whose gradients are accumulated each take one call; the last of them
 * updates.
 */
import type { Scalar, Tensor, Tensor1D } from '@tensorflow/tfjs';
import { batchTensors, readWeights, type EncodedBatch, type ForwardInputs, type Model } from '../model/classifier.js';
import { sequenceClassification } from '../model/encoder.js';
import { dropoutSource, seedOfPass } from '../model/dropout.js';
import { crossEntropy } from '../model/layers.js';
import { tensorFunction, type TensorFunction } from '../tensorflow/function.js';
import { castTo } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { zerosVariable, type ResourceVariable } from '../tensorflow/variables.js';
import { AdamW, clipFactor, globalNorm, type AdamWOptions } from './adamw.js';
import { LossScale } from './loss-scale.js';

export interface LabelledBatch extends EncodedBatch {
  /** [batch], class numbers. */
  labels: Int32Array;
}

export type PassInputs = ForwardInputs & {
  /** [batch], int32, class numbers. */
  labels: Tensor1D;
  /** [2], int32: of dropout; none switches dropout off. */
  seed?: Tensor1D;
};

/** A labelled batch as tensors. */
export const passInputs = (batch: LabelledBatch, seed?: Tensor1D): PassInputs => ({
  ...batchTensors(batch),
  labels: tf.tensor1d(batch.labels, 'int32'),
  ...(seed && { seed }),
});

/**
 * The loss of a batch and the gradients of what is trained, as tensors.
 * @param trained names of parameters
 * @param weight the gradients are those of the loss times this scalar
 * @returns the mean cross-entropy without the weight, a scalar, and gradients by parameter name
 */
export function lossAndGradients(
  model: Model,
  { ids, lengths, labels, seed }: PassInputs,
  trained: string[] = [...model.parameters.keys()],
  weight: Scalar = tf.scalar(1),
): { loss: Scalar; gradients: Map<string, Tensor> } {
  // What was read is let go of here: an update can only be in place while nobody holds the value.
  const { value, grads } = tf.tidy(() => {
    const weights = readWeights(model);
    const lossOf = (...values: Tensor[]) => {
      const traced = { ...weights, ...Object.fromEntries(trained.map((name, i) => [name, values[i]!])) };
      const source = seed && dropoutSource(seed);
      const logits = sequenceClassification(traced, ids, model.config, { lengths, source, ...model.engine });
      return crossEntropy(logits, labels) as Scalar;
    };
    return tf.valueAndGrads(lossOf)(
      trained.map((name) => weights[name]!),
      weight,
    );
  });
  return { loss: value, gradients: new Map(trained.map((name, i) => [name, grads[i]!])) };
}

export interface StepOptions extends AdamWOptions {
  /** Names of the parameters that are trained. Default: all. */
  trained?: string[];
  /** Gradients are scaled down to this joint length; 0 for never. @default 1 */
  maxGradNorm?: number;
  /** Of dropout. @default 42 */
  seed?: number;
  /** Whether updates may be made from several batches, which takes memory for the sum of their gradients. @default false */
  accumulates?: boolean;
}

export interface StepResult {
  /** Mean cross-entropy of all rows. */
  loss: number;
  /** Joint length of the gradients before clipping. If this or the loss is no finite number, nothing was updated. */
  gradNorm: number;
}

type ScaledInputs = PassInputs & { weight: Scalar; [name: string]: Tensor };
type UpdateInputs = ScaledInputs & {
  learningRate: Scalar;
  lossScale: Scalar;
  firstCorrection: Scalar;
  secondCorrection: Scalar;
};

export class TrainingStep {
  readonly optimizer: AdamW;
  readonly #seed: number;
  readonly #lossScale: LossScale;
  readonly #sums: Map<string, ResourceVariable>;
  readonly #accumulate: TensorFunction<ScaledInputs, { loss: Tensor }>;
  readonly #update: TensorFunction<UpdateInputs, { loss: Tensor; gradNorm: Tensor }>;
  #passes = 0;

  constructor(
    model: Model,
    {
      trained = [...model.parameters.keys()],
      maxGradNorm = 1,
      seed = 42,
      accumulates = false,
      ...adam
    }: StepOptions = {},
  ) {
    this.#seed = seed;
    this.#lossScale = new LossScale(model.engine.precision);
    const parameters = new Map(trained.map((name) => [name, model.parameters.get(name)!]));
    this.optimizer = new AdamW(parameters, { fused: model.engine.fused, ...adam });
    this.#sums = new Map(accumulates ? [...parameters].map(([name, { shape }]) => [name, zerosVariable(shape)]) : []);
    const { eager, jitCompile } = model.engine;
    this.#accumulate = tensorFunction(
      ({ weight, ...inputs }: ScaledInputs) => {
        const { loss, gradients } = lossAndGradients(model, inputs, trained, weight);
        for (const [name, gradient] of gradients) this.#sums.get(name)!.add(castTo(gradient, 'float32'));
        return { loss };
      },
      { name: 'the accumulating pass', eager, jitCompile },
    );
    this.#update = tensorFunction(
      ({ weight, learningRate, lossScale, firstCorrection, secondCorrection, ...inputs }: UpdateInputs) => {
        const { loss, gradients } = lossAndGradients(model, inputs, trained, weight);
        for (const [name, sum] of this.#sums) {
          gradients.set(name, tf.add(sum.read(), castTo(gradients.get(name)!, 'float32')));
          sum.assign(tf.fill(sum.shape, 0));
        }
        const gradNorm = tf.div(globalNorm(gradients, model.engine.fused), lossScale);
        const clip = maxGradNorm > 0 ? clipFactor(gradNorm, maxGradNorm) : tf.scalar(1);
        this.optimizer.apply(gradients, {
          learningRate,
          firstCorrection,
          secondCorrection,
          factor: tf.div(clip, lossScale),
          finite: tf.logicalAnd(tf.isFinite(gradNorm), tf.isFinite(loss)),
        });
        return { loss, gradNorm };
      },
      { name: 'the training step', eager, jitCompile },
    );
  }

  /** What the loss is multiplied by on the way back: 1, but in float16. */
  get lossScale(): number {
    return this.#lossScale.value;
  }

  /** How many graphs were captured so far, and the seconds that took. */
  get captured(): { graphs: number; seconds: number } {
    const functions = [this.#accumulate, this.#update];
    return {
      graphs: functions.reduce((sum, { captures }) => sum + captures, 0),
      seconds: functions.reduce((sum, { captureSeconds }) => sum + captureSeconds, 0),
    };
  }

  /**
   * One update from the rows of one or several batches.
   * @throws RangeError for several batches where none were announced
   */
  run(batches: LabelledBatch[], learningRate: number): StepResult {
    if (batches.length > 1 && this.#sums.size === 0)
      throw new RangeError('An update from several batches needs `accumulates`.');
    const first = this.#passes;
    this.#passes += batches.length;
    for (;;) {
      const result = this.#attempt(batches, learningRate, first);
      const finite = Number.isFinite(result.loss) && Number.isFinite(result.gradNorm);
      if (finite) this.optimizer.applied(learningRate);
      // A gradient too large for float16 is taken again at half the scale.
      if (!this.#lossScale.see(finite)) return result;
    }
  }

  #attempt(batches: LabelledBatch[], learningRate: number, first: number): StepResult {
    const rows = batches.reduce((sum, { batch }) => sum + batch, 0);
    let loss = 0;
    let gradNorm = 0;
    batches.forEach((batch, i) => {
      const share = batch.batch / rows;
      const results = tf.tidy(() => {
        const pass = {
          ...passInputs(batch, seedOfPass(this.#seed, first + i)),
          weight: tf.scalar(share * this.#lossScale.value),
        };
        if (i < batches.length - 1) return this.#accumulate.call(pass);
        return this.#update.call({
          ...pass,
          learningRate: tf.scalar(learningRate),
          lossScale: tf.scalar(this.#lossScale.value),
          ...this.optimizer.corrections(),
        });
      }) as { loss: Tensor; gradNorm?: Tensor };
      loss += results.loss.dataSync()[0]! * share;
      if (results.gradNorm) gradNorm = results.gradNorm.dataSync()[0]!;
      tf.dispose(Object.values(results));
    });
    return { loss, gradNorm };
  }

  /** Frees what belongs to training and not to the model. */
  dispose(): void {
    this.#accumulate.dispose();
    this.#update.dispose();
    this.#sums.forEach((sum) => sum.dispose());
    this.optimizer.dispose();
  }
}
