/**
 * One training step: forward, back, clipping and AdamW, as one TensorFlow function a shape of batch. What is read back is
 * the loss and the length of the gradient. Batches whose gradients are accumulated each take one call; the last of them
 * updates.
 *
 * Several ranks make a step together: each takes its share of every batch's rows, and gradients are summed before they are
 * clipped, in the same graph, while the backward pass goes on. Whatever is decided by a number is decided by the same
 * number on all ranks.
 */
import type { Scalar, Tensor, Tensor1D } from '@tensorflow/tfjs';
import { ArgumentError } from '../errors.js';
import { readWeights, type Model } from '../model/model.js';
import { dropoutSource, seedOfPass } from '../model/dropout.js';
import type { StoredTensor } from '../model/safetensors.js';
import { tensorFunction, type NamedTensors, type TensorFunction } from '../tensorflow/function.js';
import { castTo } from '../tensorflow/kernels.js';
import { alone, sumKeys, type Ranks } from '../distributed/ranks.js';
import { tf } from '../tensorflow/runtime.js';
import { zerosVariable, type ResourceVariable } from '../tensorflow/variables.js';
import type { EncodedBatch } from '../model/batch.js';
import { AdamW, clipFactor, globalNorm, type AdamWOptions, type AdamWState } from '../optim/adamw.js';
import { LossScale, type LossScaleState } from '../optim/loss-scale.js';
import type { StepTask } from './tasks/task.js';
import { UsedVocabulary, type UnusedDecay } from './used-vocabulary.js';

/** What a pass takes: the task's inputs, and dropout's seed ([2], int32); none switches dropout off. */
export type PassInputs = NamedTensors & { seed?: Tensor1D };

/**
 * The loss of a batch and the gradients of what is trained, as tensors.
 * @param inputs of `task.tensors`, with the seed
 * @param trained names of parameters
 * @param weight the gradients are those of the loss times this scalar
 * @returns the mean loss without the weight, a scalar, and gradients by parameter name
 */
export function lossAndGradients<Batch extends EncodedBatch, Inputs extends NamedTensors>(
  model: Model,
  task: StepTask<Batch, Inputs>,
  { seed, ...inputs }: Inputs & { seed?: Tensor1D },
  trained: string[] = [...model.parameters.keys()],
  weight: Scalar = tf.scalar(1),
): { loss: Scalar; gradients: Map<string, Tensor> } {
  // What was read is let go of here: an update can only be in place while nobody holds the value.
  const { value, grads } = tf.tidy(() => {
    const weights = readWeights(model);
    const lossOf = (...values: Tensor[]) => {
      const traced = { ...weights, ...Object.fromEntries(trained.map((name, i) => [name, values[i]!])) };
      return task.loss(traced, inputs as unknown as Inputs, model, seed && dropoutSource(seed));
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
  /** Has XLA compile the graphs. @default as the model's engine says, `auto` being false */
  jitCompile?: boolean;
  /** Who makes each step together. @default this process alone */
  ranks?: Ranks;
  /** All token ids of the training, if it depends on tokens of the texts only: rows of other tokens need no training. @default trains all rows */
  texts?: Iterable<Int32Array> | undefined;
}

export interface StepResult {
  /** Mean loss of all batches. */
  loss: number;
  /** Joint length of the gradients before clipping. If this or the loss is no finite number, nothing was updated. */
  gradNorm: number;
  /** Whether any rank asked to end with this step. */
  stop: boolean;
}

type ScaledInputs = PassInputs & { weight: Scalar };
type UpdateInputs = ScaledInputs & {
  /** Of the batches before the last one, weighted. */
  lossBefore: Scalar;
  /** 1 to end with this step. */
  stop: Scalar;
  learningRate: Scalar;
  lossScale: Scalar;
  firstCorrection: Scalar;
  secondCorrection: Scalar;
};

/** All that a step has besides the parameters: with it and them, training goes on as if it had never stopped. */
export interface StepState {
  /** Forward passes so far: dropout's random numbers are made of it and the seed. */
  passes: number;
  lossScale: LossScaleState;
  optimizer: AdamWState;
  /** See UsedVocabulary; undefined if all rows of the word embedding are trained. */
  unusedDecay?: UnusedDecay | undefined;
}

export class TrainingStep<Batch extends EncodedBatch> {
  readonly #optimizer: AdamW;
  readonly #weightDecay: number;
  readonly #vocabulary: UsedVocabulary | undefined;
  readonly #task: StepTask<Batch>;
  readonly #seed: number;
  readonly #lossScale: LossScale;
  readonly #sums: Map<string, ResourceVariable>;
  readonly #accumulate: TensorFunction<ScaledInputs, { loss: Tensor }>;
  /** `results` are the loss, the gradients' length, and how many ranks asked to end. */
  readonly #update: TensorFunction<UpdateInputs, { results: Tensor }>;
  readonly #ranks: Ranks;
  #passes = 0;

  constructor(
    whole: Model,
    task: StepTask<Batch>,
    {
      trained = [...whole.parameters.keys()],
      maxGradNorm = 1,
      seed = 42,
      accumulates = false,
      jitCompile = whole.engine.jitCompile === true,
      ranks = alone,
      texts,
      ...adam
    }: StepOptions = {},
  ) {
    this.#vocabulary = texts && UsedVocabulary.of(whole, texts, trained);
    const model = this.#vocabulary?.model ?? whole;
    this.#weightDecay = adam.weightDecay ?? 0;
    this.#task = task;
    this.#ranks = ranks;
    this.#seed = seed;
    this.#lossScale = new LossScale(model.engine.precision);
    const parameters = new Map(trained.map((name) => [name, model.parameters.get(name)!]));
    this.#optimizer = new AdamW(parameters, { fused: model.engine.fused, ...adam });
    this.#sums = new Map(accumulates ? [...parameters].map(([name, { shape }]) => [name, zerosVariable(shape)]) : []);
    const { eager } = model.engine;
    this.#accumulate = tensorFunction(
      ({ weight, ...inputs }: ScaledInputs) => {
        const { loss, gradients } = lossAndGradients(model, task, inputs, trained, weight);
        for (const [name, gradient] of gradients) this.#sums.get(name)!.add(castTo(gradient, 'float32'));
        return { loss };
      },
      { name: 'the accumulating pass', eager, jitCompile },
    );
    this.#update = tensorFunction(
      ({
        weight,
        lossBefore,
        stop,
        learningRate,
        lossScale,
        firstCorrection,
        secondCorrection,
        ...inputs
      }: UpdateInputs) => {
        const own = lossAndGradients(model, task, inputs, trained, weight);
        for (const [name, sum] of this.#sums) {
          own.gradients.set(name, tf.add(sum.read(), castTo(own.gradients.get(name)!, 'float32')));
          sum.assign(tf.fill(sum.shape, 0));
        }
        const summed = ranks.sum([...own.gradients.values()], sumKeys.gradients);
        const gradients = new Map([...own.gradients.keys()].map((name, i) => [name, summed[i]!]));
        const norm = tf.div(globalNorm(gradients, model.engine.fused), lossScale);
        const ownLoss = tf.add(lossBefore, tf.mul(own.loss, tf.div(weight, lossScale)));
        // The last bit of a length depends on the number of threads: all take the chief's.
        const ownResults = tf.stack([ownLoss, ranks.isChief ? norm : tf.scalar(0), stop]); // [3]
        const [results] = ranks.sum([ownResults], sumKeys.results) as [Tensor1D];
        const [loss, gradNorm] = tf.unstack(results) as [Scalar, Scalar, Scalar];
        const clip = maxGradNorm > 0 ? clipFactor(gradNorm, maxGradNorm) : tf.scalar(1);
        this.#optimizer.apply(gradients, {
          learningRate,
          firstCorrection,
          secondCorrection,
          factor: tf.div(clip, lossScale),
          finite: tf.logicalAnd(tf.isFinite(gradNorm), tf.isFinite(loss)),
        });
        return { results };
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
   * One update from one batch or several, the same on all ranks.
   * @param stop asks all ranks to end with this step
   * @throws ArgumentError for several batches where none were announced
   */
  run(batches: Batch[], learningRate: number, stop = false): StepResult {
    if (batches.length > 1 && this.#sums.size === 0)
      throw new ArgumentError('ARGUMENT_NO_ACCUMULATION', 'An update from several batches needs `accumulates`.');
    const first = this.#passes;
    this.#passes += batches.length;
    const mapped = this.#vocabulary ? batches.map((batch) => this.#vocabulary!.mapBatch(batch)) : batches;
    for (;;) {
      const result = this.#attempt(mapped, learningRate, first, stop);
      const finite = Number.isFinite(result.loss) && Number.isFinite(result.gradNorm);
      if (finite) {
        this.#optimizer.applied();
        if (this.#vocabulary) this.#vocabulary.decay.total *= 1 - learningRate * this.#weightDecay;
      }
      // A gradient too large for float16 is taken again at half the scale.
      if (!this.#lossScale.see(finite)) return result;
    }
  }

  /** This rank's part of a batch, and what it counts for; a rank with no part computes all of it, for nothing. */
  #partOf(batch: Batch): { part: Batch; weight: number } {
    const { rank, size } = this.#ranks;
    if (size === 1) return { part: batch, weight: this.#task.weight(batch) };
    const part = this.#task.share(batch, rank, size);
    return part ? { part, weight: this.#task.weight(part) } : { part: batch, weight: 0 };
  }

  #attempt(batches: Batch[], learningRate: number, first: number, stop: boolean): StepResult {
    if (batches.length === 0) throw new ArgumentError('ARGUMENT_NO_BATCH', 'An update needs a batch.');
    const whole = batches.reduce((sum, batch) => sum + this.#task.weight(batch), 0);
    const parts = batches.map((batch) => this.#partOf(batch));
    const shareOf = (i: number) => parts[i]!.weight / whole;
    const pass = (i: number) => ({
      ...this.#task.tensors(parts[i]!.part),
      seed: seedOfPass(this.#seed, first + i, this.#ranks.rank),
      weight: tf.scalar(shareOf(i) * this.#lossScale.value),
    });
    const last = batches.length - 1;
    let lossBefore = 0;
    for (let i = 0; i < last; i++) {
      const { loss } = tf.tidy(() => this.#accumulate.call(pass(i)));
      lossBefore += loss.dataSync()[0]! * shareOf(i);
      loss.dispose();
    }
    const { results } = tf.tidy(() =>
      this.#update.call({
        ...pass(last),
        lossBefore: tf.scalar(lossBefore),
        stop: tf.scalar(stop ? 1 : 0),
        learningRate: tf.scalar(learningRate),
        lossScale: tf.scalar(this.#lossScale.value),
        ...this.#optimizer.corrections(),
      }),
    );
    const [loss, gradNorm, asked] = results.dataSync<'float32'>() as unknown as [number, number, number];
    results.dispose();
    return { loss, gradNorm, stop: asked > 0 };
  }

  /**
   * Brings the model up to date, before it is evaluated or saved.
   * @param complete false for a checkpoint between evaluations, see UsedVocabulary.sync
   */
  sync(complete = true): void {
    this.#vocabulary?.sync(complete);
  }

  /** The state for a checkpoint, besides the parameters, with copies of the tensors. */
  state(): { state: StepState; tensors: Map<string, StoredTensor> } {
    const { state: optimizer, tensors } = this.#optimizer.state();
    const unusedDecay = this.#vocabulary && { ...this.#vocabulary.decay };
    return { state: { passes: this.#passes, lossScale: this.#lossScale.state, optimizer, unusedDecay }, tensors };
  }

  /**
   * Goes on from a state, the same on all ranks.
   * @param tensors the chief's alone are looked at
   * @throws CheckpointError when the tensors are those of other parameters
   */
  restore({ passes, lossScale, optimizer, unusedDecay }: StepState, tensors: () => Map<string, StoredTensor>): void {
    if (this.#vocabulary && unusedDecay) this.#vocabulary.decay = { ...unusedDecay };
    this.#passes = passes;
    this.#lossScale.state = lossScale;
    this.#optimizer.restore(optimizer, this.#ranks.isChief ? tensors() : undefined);
    this.#ranks.copyFromChief(this.#optimizer.variables);
  }

  /** Frees what belongs to training and not to the model. */
  dispose(): void {
    this.#accumulate.dispose();
    this.#update.dispose();
    this.#sums.forEach((sum) => sum.dispose());
    this.#vocabulary?.dispose();
    this.#optimizer.dispose();
  }
}
