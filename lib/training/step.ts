/**
 * One training step: forward pass, backward pass, gradient clipping and AdamW, as one TensorFlow function, which is
 * captured once for all numbers of tokens, or once per size, see roundTokens. Only the loss and the gradient norm are
 * read back. With gradient accumulation each batch is one call, and the call of the last batch updates the parameters.
 *
 * Several ranks compute a step together: each computes its part of every batch's rows. The gradients are summed before
 * clipping, in the same graph, while the backward pass continues. All ranks decide by the same values of loss and
 * gradient norm.
 */
import type { Scalar, Tensor, Tensor1D } from '@tensorflow/tfjs';
import { ArgumentError } from '../errors.js';
import { captureOptions, readWeights, type Model } from '../model/model.js';
import { familyOf } from '../model/families.js';
import { dropoutSource, seedOfPass } from '../model/dropout.js';
import type { StoredTensor } from '../model/safetensors.js';
import { tensorFunction, type NamedTensors, type TensorFunction } from '../tensorflow/function.js';
import { castTo } from '../tensorflow/kernels.js';
import { singleProcess, sumKeys, type Ranks } from '../distributed/ranks.js';
import { tf } from '../tensorflow/runtime.js';
import { zerosVariable, type ResourceVariable } from '../tensorflow/variables.js';
import { rowsOfRank, type EncodedBatch } from '../model/batch.js';
import type { Layers } from '../model/layers.js';
import { AdamW, clipFactor, globalNorm, type AdamWOptions, type AdamWState } from '../optim/adamw.js';
import { LossScale, type LossScaleState } from '../optim/loss-scale.js';
import type { StepTask } from './tasks/task.js';
import { UsedVocabulary, type UnusedDecay } from './used-vocabulary.js';

/**
 * Inputs of a forward and backward pass: the task's inputs and the dropout seed ([2], int32). Without a seed, dropout
 * is off.
 */
export type PassInputs = NamedTensors & { seed?: Tensor1D };

/**
 * The loss of a batch and the gradients of the trained parameters, as tensors.
 * @param inputs the result of `task.tensors`, and the seed
 * @param trained names of the trained parameters
 * @param weight a scalar by which the loss is multiplied before the gradients are computed
 * @returns the mean loss, unweighted, a scalar; and the gradients by parameter name
 */
export function lossAndGradients<Batch extends EncodedBatch, Inputs extends NamedTensors>(
  model: Model,
  task: StepTask<Batch, Inputs>,
  { seed, ...inputs }: Inputs & { seed?: Tensor1D },
  trained: string[] = [...model.parameters.keys()],
  weight: Scalar = tf.scalar(1),
): { loss: Scalar; gradients: Map<string, Tensor> } {
  // `tidy` releases the values that were read: an update can be in place only if no other tensor shares the memory.
  const { value, grads } = tf.tidy(() => {
    const weights = readWeights(model);
    const lossOf = (...values: Tensor[]) => {
      const traced = { ...weights, ...Object.fromEntries(trained.map((name, i) => [name, values[i]!])) };
      const source = seed && dropoutSource(seed);
      const forwardWeights = model.forwardWeights?.(traced, source) ?? traced;
      return task.loss(forwardWeights, inputs as unknown as Inputs, model, source);
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
  /** Maximum gradient norm for clipping; 0 disables clipping. @default 1 */
  maxGradNorm?: number;
  /** Seed of dropout. @default 42 */
  seed?: number;
  /** Enables gradient accumulation, which takes memory for the sums of the gradients. @default false */
  accumulates?: boolean;
  /** Compiles the graphs with XLA. @default the setting of the model's engine, where `auto` counts as false */
  jitCompile?: boolean;
  /** The processes that compute each step together. @default this process only */
  ranks?: Ranks;
  /**
   * The token ids of all training texts, for a task that uses no other tokens: only their rows of the word embedding
   * are trained, see UsedVocabulary. @default trains all rows
   */
  texts?: Iterable<Int32Array> | undefined;
}

export interface StepResult {
  /** Mean loss of all batches. */
  loss: number;
  /** Gradient norm before clipping. If it or the loss is NaN or infinite, no parameter was updated. */
  gradNorm: number;
  /** Whether any rank requested to stop after this step. */
  stop: boolean;
}

type ScaledInputs = PassInputs & { weight: Scalar };
type UpdateInputs = ScaledInputs & {
  /** Weighted loss of the batches before the last one. */
  lossBefore: Scalar;
  /** 1 to request a stop after this step. */
  stop: Scalar;
  learningRate: Scalar;
  lossScale: Scalar;
  firstCorrection: Scalar;
  secondCorrection: Scalar;
};

/** The state of a training step besides the parameters. With both, a resumed training gives the same result. */
export interface StepState {
  /** Number of forward passes so far. With the seed it determines the random numbers of dropout. */
  passes: number;
  lossScale: LossScaleState;
  optimizer: AdamWState;
  /** See UsedVocabulary; undefined if all rows of the word embedding are trained. */
  unusedDecay?: UnusedDecay | undefined;
}

export class TrainingStep<Batch extends EncodedBatch> {
  readonly #optimizer: AdamW;
  /** Factor of the learning rate in the weight decay of unused rows of the word embedding. */
  readonly #embeddingDecay: number;
  readonly #vocabulary: UsedVocabulary | undefined;
  readonly #task: StepTask<Batch>;
  readonly #seed: number;
  readonly #lossScale: LossScale;
  readonly #sums: Map<string, ResourceVariable>;
  readonly #accumulate: TensorFunction<ScaledInputs, { loss: Tensor }>;
  /** `results` are the loss, the gradient norm, and the number of ranks that requested a stop. */
  readonly #update: TensorFunction<UpdateInputs, { results: Tensor }>;
  readonly #layers: Layers;
  readonly #ranks: Ranks;
  #passes = 0;

  constructor(
    fullModel: Model,
    task: StepTask<Batch>,
    {
      trained = [...fullModel.parameters.keys()],
      maxGradNorm = 1,
      seed = 42,
      accumulates = false,
      jitCompile = fullModel.engine.jitCompile === true,
      ranks = singleProcess,
      texts,
      ...adam
    }: StepOptions = {},
  ) {
    this.#vocabulary = texts && UsedVocabulary.create(fullModel, texts, trained);
    const model = this.#vocabulary?.model ?? fullModel;
    const { wordEmbeddings } = familyOf(model.config);
    this.#embeddingDecay = (adam.weightDecay ?? 0) * (adam.learningRateFactors?.get(wordEmbeddings) ?? 1);
    this.#task = task;
    this.#layers = model.engine.layers;
    this.#ranks = ranks;
    this.#seed = seed;
    this.#lossScale = new LossScale(model.engine.precision);
    const parameters = new Map(trained.map((name) => [name, model.parameters.get(name)!]));
    this.#optimizer = new AdamW(parameters, { fused: model.engine.fused, ...adam });
    this.#sums = new Map(accumulates ? [...parameters].map(([name, { shape }]) => [name, zerosVariable(shape)]) : []);
    const capture = { ...captureOptions(model.engine), jitCompile };
    this.#accumulate = tensorFunction(
      ({ weight, ...inputs }: ScaledInputs) => {
        const { loss, gradients } = lossAndGradients(model, task, inputs, trained, weight);
        for (const [name, gradient] of gradients) this.#sums.get(name)!.add(castTo(gradient, 'float32'));
        return { loss };
      },
      { name: 'the gradient accumulation pass', ...capture },
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
        // The last bit of a norm depends on the number of threads: all ranks use the chief's value.
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
      { name: 'the training step', ...capture },
    );
  }

  /** The factor of the loss in the backward pass: 1 except in float16. */
  get lossScale(): number {
    return this.#lossScale.value;
  }

  /** The number of captured graphs, and the seconds that capturing took. */
  get captured(): { graphs: number; seconds: number } {
    const functions = [this.#accumulate, this.#update];
    return {
      graphs: functions.reduce((sum, { captures }) => sum + captures, 0),
      seconds: functions.reduce((sum, { captureSeconds }) => sum + captureSeconds, 0),
    };
  }

  /**
   * One optimizer step from one or several batches, the same on all ranks.
   * @param stop requests that all ranks stop after this step
   * @throws ArgumentError for no batch, or for several batches without the option `accumulates`
   */
  async run(batches: Batch[], learningRate: number, stop = false): Promise<StepResult> {
    if (batches.length > 1 && this.#sums.size === 0)
      throw new ArgumentError(
        'ARGUMENT_NO_ACCUMULATION',
        `Cannot accumulate the gradients of ${batches.length} batches. Set the option \`accumulates\` to true.`,
      );
    const firstPass = this.#passes;
    this.#passes += batches.length;
    const mapped = this.#vocabulary ? batches.map((batch) => this.#vocabulary!.mapBatch(batch)) : batches;
    for (;;) {
      const result = await this.#attempt(mapped, learningRate, firstPass, stop);
      const finite = Number.isFinite(result.loss) && Number.isFinite(result.gradNorm);
      if (finite) {
        this.#optimizer.applied();
        if (this.#vocabulary) this.#vocabulary.decay.total *= 1 - learningRate * this.#embeddingDecay;
      }
      // After a float16 overflow the gradients are computed again with half the scale.
      if (!this.#lossScale.update(finite)) return result;
    }
  }

  /**
   * This rank's part of a batch and its weight. A rank without a text, or without a masked token, computes the whole batch
   * with weight 0.
   */
  #partOf(batch: Batch): { part: Batch; weight: number } {
    const { rank, size } = this.#ranks;
    if (size === 1) return { part: batch, weight: this.#task.weight(batch) };
    const rows = rowsOfRank(batch, rank, size);
    const part = this.#task.select(batch, rows);
    const weight = rows.length > 0 ? this.#task.weight(part) : 0;
    return weight > 0 ? { part, weight } : { part: batch, weight: 0 };
  }

  async #attempt(batches: Batch[], learningRate: number, firstPass: number, stop: boolean): Promise<StepResult> {
    if (batches.length === 0) throw new ArgumentError('ARGUMENT_NO_BATCH', 'A training step needs at least one batch.');
    const totalWeight = batches.reduce((sum, batch) => sum + this.#task.weight(batch), 0);
    const parts = batches.map((batch) => this.#partOf(batch));
    const fractionOf = (i: number) => parts[i]!.weight / totalWeight;
    const pass = (i: number) => ({
      ...this.#task.tensors(parts[i]!.part, this.#layers),
      seed: seedOfPass(this.#seed, firstPass + i, this.#ranks.rank),
      weight: tf.scalar(fractionOf(i) * this.#lossScale.value),
    });
    const last = batches.length - 1;
    let lossBefore = 0;
    for (let i = 0; i < last; i++) {
      const { loss } = tf.tidy(() => this.#accumulate.call(pass(i)));
      lossBefore += (await loss.data())[0]! * fractionOf(i);
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
    // Not dataSync: a browser's GPU cannot be waited for.
    const [loss, gradNorm, stopCount] = (await results.data()) as unknown as [number, number, number];
    results.dispose();
    return { loss, gradNorm, stop: stopCount > 0 };
  }

  /**
   * Updates the model's parameters before an evaluation or a checkpoint.
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
   * Restores a state, which is the same on all ranks.
   * @param tensors called on the chief only, whose tensors are copied to all ranks
   * @throws CheckpointError if the tensors belong to other parameters
   */
  restore({ passes, lossScale, optimizer, unusedDecay }: StepState, tensors: () => Map<string, StoredTensor>): void {
    if (this.#vocabulary && unusedDecay) this.#vocabulary.decay = { ...unusedDecay };
    this.#passes = passes;
    this.#lossScale.state = lossScale;
    this.#optimizer.restore(optimizer, this.#ranks.isChief ? tensors() : undefined);
    this.#ranks.copyFromChief(this.#optimizer.variables);
  }

  /** Frees everything except the model. */
  dispose(): void {
    this.#accumulate.dispose();
    this.#update.dispose();
    this.#sums.forEach((sum) => sum.dispose());
    this.#vocabulary?.dispose();
    this.#optimizer.dispose();
  }
}
