/**
 * AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101), with the results of
 * torch.optim.AdamW after clip_grad_norm_. It uses the project's own kernel on a CPU and TensorFlow's fused kernel on a
 * GPU; tfjs's Adam uses neither. Gradients are clipped by a factor that both kernels apply while they read the
 * gradients.
 */
import type { Scalar, Tensor } from '@tensorflow/tfjs';
import { CheckpointError } from '../errors.js';
import type { StoredTensor } from '../model/safetensors.js';
import { fusedAdamW, hasFusedKernels, fusedSquareSum } from '../tensorflow/fused-kernels.js';
import { applyAdam, castTo, halfSquareSum, multiplyNoNan, select } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { zerosVariable, type ResourceVariable } from '../tensorflow/variables.js';

export interface AdamWOptions {
  /** Decay rate of the first moment. @default 0.9 */
  beta1?: number;
  /** Decay rate of the second moment. @default 0.999 */
  beta2?: number;
  /** Added to the denominator for numerical stability. @default 1e-8 */
  epsilon?: number;
  /** Not applied to biases and layer norms. @default 0 */
  weightDecay?: number;
  /** Factors of the learning rate by parameter name. @default 1 for all */
  learningRateFactors?: Map<string, number>;
  /** Allows the project's own kernel. @default where it is available */
  fused?: boolean;
}

/** Inputs of an update besides the gradients; all are scalars. */
export interface UpdateScalars {
  learningRate: Tensor;
  /** 1 - beta1^t and 1 - beta2^t, see `corrections`. */
  firstCorrection: Tensor;
  secondCorrection: Tensor;
  /** Multiplies the gradients, for clipping and to undo the loss scale. */
  factor: Tensor;
  /** A bool; false skips the update. */
  finite: Tensor;
}

/** The state of AdamW besides its tensors. */
export interface AdamWState {
  /** Number of updates so far. */
  steps: number;
}

/** Whether a parameter has weight decay: all but biases and layer norms, as in Hugging Face's Trainer. */
export const isDecayed = (name: string): boolean => !name.endsWith('.bias') && !/norm\.weight$/i.test(name);

export class AdamW {
  readonly #parameters: Map<string, ResourceVariable>;
  readonly #options: Required<AdamWOptions>;
  readonly #moments: Map<string, { first: ResourceVariable; second: ResourceVariable }>;
  #steps = 0;

  /** @param parameters the trained parameters by name */
  constructor(
    parameters: Map<string, ResourceVariable>,
    {
      beta1 = 0.9,
      beta2 = 0.999,
      epsilon = 1e-8,
      weightDecay = 0,
      learningRateFactors = new Map<string, number>(),
      fused = hasFusedKernels,
    }: AdamWOptions = {},
  ) {
    this.#parameters = parameters;
    this.#options = { beta1, beta2, epsilon, weightDecay, learningRateFactors, fused };
    this.#moments = new Map(
      [...parameters].map(([name, { shape }]) => [name, { first: zerosVariable(shape), second: zerosVariable(shape) }]),
    );
  }

  /** The bias corrections of the next update, computed here since float32 powers of beta2 are not precise enough. */
  corrections(): { firstCorrection: Scalar; secondCorrection: Scalar } {
    const { beta1, beta2 } = this.#options;
    const next = this.#steps + 1;
    return { firstCorrection: tf.scalar(1 - beta1 ** next), secondCorrection: tf.scalar(1 - beta2 ** next) };
  }

  /** Counts an applied update, for the bias corrections. */
  applied(): void {
    this.#steps++;
  }

  /**
   * Updates the parameters in place. It uses kernels only, so that it can be captured as a graph.
   * @param gradients by parameter name
   */
  apply(gradients: Map<string, Tensor>, { learningRate, ...others }: UpdateScalars): void {
    const groups = new Map<number, [string, Tensor][]>();
    for (const [name, gradient] of gradients) {
      const rateFactor = this.#options.learningRateFactors.get(name) ?? 1;
      groups.set(rateFactor, [...(groups.get(rateFactor) ?? []), [name, gradient]]);
    }
    for (const [rateFactor, group] of groups)
      this.#applyToGroup(group, {
        learningRate: rateFactor === 1 ? learningRate : tf.mul(learningRate, rateFactor),
        ...others,
      });
  }

  /** Updates parameters that have the same learning rate. */
  #applyToGroup(
    gradients: [string, Tensor][],
    { learningRate, firstCorrection, secondCorrection, factor, finite }: UpdateScalars,
  ): void {
    const { beta1, beta2, epsilon, weightDecay, fused } = this.#options;
    // The kernels do not correct the bias of the moments. Learning rate and epsilon are scaled instead.
    const correctionRoot = tf.sqrt(secondCorrection);
    const rate = tf.div(tf.mul(learningRate, correctionRoot), firstCorrection);
    const scaledEpsilon = tf.mul(correctionRoot, epsilon);
    const keep = tf.sub(1, tf.mul(learningRate, weightDecay));
    if (fused) {
      const scalars = tf.stack([
        tf.cast(finite, 'float32'),
        rate,
        scaledEpsilon,
        keep,
        tf.scalar(beta1),
        tf.mul(factor, 1 - beta1),
        tf.scalar(beta2),
        tf.mul(tf.square(factor), 1 - beta2),
      ]); // [8]
      for (const [name, gradient] of gradients) {
        const { first, second } = this.#moments.get(name)!;
        fusedAdamW(this.#parameters.get(name)!, first, second, gradient, scalars, isDecayed(name));
      }
      return;
    }
    // TensorFlow's kernel cannot skip an update. Gradients of 0 and decay rates of 1 leave everything unchanged.
    const one = tf.scalar(1);
    const orOne = (value: Tensor) => select(finite, value, one);
    const isFinite = tf.cast(finite, 'float32');
    const gradientFactor = multiplyNoNan(factor, isFinite);
    const scalars = {
      learningRate: multiplyNoNan(rate, isFinite),
      beta1: orOne(tf.scalar(beta1)),
      beta2: orOne(tf.scalar(beta2)),
      epsilon: scaledEpsilon,
    };
    for (const [name, gradient] of gradients) {
      const parameter = this.#parameters.get(name)!;
      const { first, second } = this.#moments.get(name)!;
      if (weightDecay > 0 && isDecayed(name)) parameter.assign(tf.mul(parameter.read(), orOne(keep)));
      applyAdam(parameter, first, second, multiplyNoNan(castTo(gradient, 'float32'), gradientFactor), scalars);
    }
  }

  /** The moments with PyTorch's names. */
  #named(): [string, ResourceVariable][] {
    return [...this.#moments].flatMap(([name, { first, second }]): [string, ResourceVariable][] => [
      [`exp_avg.${name}`, first],
      [`exp_avg_sq.${name}`, second],
    ]);
  }

  /** The state for a checkpoint, with copies of the moments. */
  state(): { state: AdamWState; tensors: Map<string, StoredTensor> } {
    const tensors = this.#named().map(([name, variable]): [string, StoredTensor] => [
      name,
      { shape: variable.shape, data: variable.data() },
    ]);
    return { state: { steps: this.#steps }, tensors: new Map(tensors) };
  }

  /** The moments. */
  get variables(): ResourceVariable[] {
    return this.#named().map(([, variable]) => variable);
  }

  /**
   * Restores a state.
   * @param tensors omitted if the moments are set in another way
   * @throws CheckpointError if the tensors belong to other parameters
   */
  restore({ steps }: AdamWState, tensors?: Map<string, StoredTensor>): void {
    const named = tensors ? this.#named() : [];
    for (const [name, { shape }] of named)
      if (tensors!.get(name)?.shape.join() !== shape.join())
        throw new CheckpointError(
          'CHECKPOINT_PARAMETERS_DIFFER',
          `The optimizer state belongs to other parameters: ${name} does not have the shape [${shape.join(', ')}].`,
          { name, shape },
        );
    for (const [name, variable] of named) {
      const value = tf.tensor(tensors!.get(name)!.data, variable.shape);
      variable.assign(value);
      value.dispose();
    }
    this.#steps = steps;
  }

  /** Frees the moments' memory. */
  dispose(): void {
    for (const { first, second } of this.#moments.values()) {
      first.dispose();
      second.dispose();
    }
  }
}

/**
 * The global norm of gradients, a scalar.
 * @param fused uses the project's own kernel. @default where it is available
 */
export const globalNorm = (gradients: Map<string, Tensor>, fused = hasFusedKernels): Tensor => {
  const tensors = [...gradients.values()];
  return fused
    ? tf.sqrt(tf.addN(tensors.map(fusedSquareSum)))
    : tf.sqrt(tf.mul(tf.sum(tf.stack(tensors.map((gradient) => halfSquareSum(castTo(gradient, 'float32'))))), 2));
};

/**
 * The factor by which gradients are multiplied so that their norm is at most `maxNorm`
 * (torch.nn.utils.clip_grad_norm_).
 */
export const clipFactor = (norm: Tensor, maxNorm: number): Tensor => tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1);
