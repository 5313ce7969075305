/**
 * AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101), number for number what
 * torch.optim.AdamW does after clip_grad_norm_: on a processor by the project's kernel, on a GPU by TensorFlow's fused
 * one, which tfjs's own Adam does not use.
 *
 * Gradients are clipped without touching them. Moments are averages of gradients, each clipped by a factor of its own:
 * such an average is one of the unclipped gradients under other weights, times the average of the factors. So AdamW keeps
 * the averages of the factor f and of f² (two numbers), hands the kernel the weights that make the sum come out right,
 * and spares a pass over every gradient. Started at 0, the averages of f carry Adam's bias correction with them.
 */
import type { Scalar, Tensor } from '@tensorflow/tfjs';
import { CheckpointError } from '../errors.js';
import type { StoredTensor } from '../model/safetensors.js';
import { fusedAdamW, hasFusedKernels, fusedSquareSum } from '../tensorflow/fused-kernels.js';
import { applyAdam, castTo, halfSquareSum, multiplyNoNan, select } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import { zerosVariable, type ResourceVariable } from '../tensorflow/variables.js';

export interface AdamWOptions {
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Not applied to biases and layer norms. Default 0. */
  weightDecay?: number;
  /** Whether the project's own kernel may be used. Default: where it runs. */
  fused?: boolean;
}

/** What an update depends on, besides the gradients: all scalars. */
export interface UpdateScalars {
  learningRate: Tensor;
  /** 1 - beta1^t and 1 - beta2^t, see `corrections`. */
  firstCorrection: Tensor;
  secondCorrection: Tensor;
  /** The gradients count as multiplied by it. */
  factor: Tensor;
  /** bool: false for no update at all. */
  finite: Tensor;
}

/** What AdamW counts on the side of its tensors. */
export interface AdamWState {
  steps: number;
  /** See AdamW.decay. */
  decay: number;
}

/** Biases and layer norms are not decayed, as Hugging Face's Trainer has it. */
export const isDecayed = (name: string): boolean => !name.endsWith('.bias') && !/norm\.weight$/i.test(name);

export class AdamW {
  readonly #parameters: Map<string, ResourceVariable>;
  readonly #options: Required<AdamWOptions>;
  readonly #moments: Map<string, { first: ResourceVariable; second: ResourceVariable }>;
  /** The averages of the factor and of its square. */
  readonly #factors = { first: zerosVariable([]), second: zerosVariable([]) };
  #steps = 0;
  #decay = 1;

  /** @param parameters by name */
  constructor(
    parameters: Map<string, ResourceVariable>,
    { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0, fused = hasFusedKernels }: AdamWOptions = {},
  ) {
    this.#parameters = parameters;
    this.#options = { beta1, beta2, epsilon, weightDecay, fused };
    this.#moments = new Map(
      [...parameters].map(([name, { shape }]) => [name, { first: zerosVariable(shape), second: zerosVariable(shape) }]),
    );
  }

  /** What weight decay alone has made of a decayed weight whose gradient was always 0, as a factor. */
  get decay(): number {
    return this.#decay;
  }

  /** The bias corrections of the next update: float32 could not raise beta2 to a power precisely enough. */
  corrections(): { firstCorrection: Scalar; secondCorrection: Scalar } {
    const { beta1, beta2 } = this.#options;
    const next = this.#steps + 1;
    return { firstCorrection: tf.scalar(1 - beta1 ** next), secondCorrection: tf.scalar(1 - beta2 ** next) };
  }

  /** Counts an update that took place. */
  applied(learningRate: number): void {
    this.#steps++;
    this.#decay *= 1 - learningRate * this.#options.weightDecay;
  }

  /**
   * One update in place, made of kernels only, so that it can be captured.
   * @param gradients by parameter name
   */
  apply(
    gradients: Map<string, Tensor>,
    { learningRate, firstCorrection, secondCorrection, factor, finite }: UpdateScalars,
  ): void {
    const { beta1, beta2, epsilon, weightDecay, fused } = this.#options;
    /** An average's new value, and the share of it that was there before. */
    const averaged = (variable: ResourceVariable, beta: number, value: Tensor) => {
      const before = variable.read();
      const stays = tf.mul(before, beta);
      const comes = tf.mul(value, 1 - beta);
      const sum = tf.add(stays, comes);
      variable.assign(select(finite, sum, before));
      return { sum, stays: tf.div(stays, sum), comes: tf.div(comes, sum) };
    };
    const first = averaged(this.#factors.first, beta1, factor);
    const second = averaged(this.#factors.second, beta2, tf.square(factor));
    // The moments after bias correction are the kernel's times `mean` and `deviation` squared.
    const mean = tf.div(first.sum, firstCorrection);
    const deviation = tf.sqrt(tf.div(second.sum, secondCorrection));
    const rate = tf.div(tf.mul(learningRate, mean), deviation);
    const smallest = tf.div(epsilon, deviation);
    const keep = tf.sub(1, tf.mul(learningRate, weightDecay));
    if (fused) {
      const scalars = tf.stack([
        ...[tf.cast(finite, 'float32'), rate, smallest, keep],
        ...[first.stays, first.comes, second.stays, second.comes],
      ]); // [8]
      for (const [name, gradient] of gradients) {
        const { first, second } = this.#moments.get(name)!;
        fusedAdamW(this.#parameters.get(name)!, first, second, gradient, scalars, isDecayed(name));
      }
      return;
    }
    // TensorFlow's kernel cannot leave an update out: it gets gradients of 0 and averages that stay as they are.
    const one = tf.scalar(1);
    const orOne = (value: Tensor) => select(finite, value, one);
    const scalars = {
      learningRate: multiplyNoNan(rate, tf.cast(finite, 'float32')),
      beta1: orOne(first.stays),
      beta2: orOne(second.stays),
      epsilon: orOne(smallest),
    };
    for (const [name, gradient] of gradients) {
      const parameter = this.#parameters.get(name)!;
      const { first, second } = this.#moments.get(name)!;
      if (weightDecay > 0 && isDecayed(name)) parameter.assign(tf.mul(parameter.read(), orOne(keep)));
      const known = multiplyNoNan(castTo(gradient, 'float32'), tf.cast(finite, 'float32'));
      applyAdam(parameter, first, second, known, scalars);
    }
  }

  /** Every tensor by a name: moments under PyTorch's words for them, and the averages of the factor. */
  #named(): [string, ResourceVariable][] {
    return [
      ...[...this.#moments].flatMap(([name, { first, second }]): [string, ResourceVariable][] => [
        [`exp_avg.${name}`, first],
        [`exp_avg_sq.${name}`, second],
      ]),
      ['factor', this.#factors.first],
      ['factor_sq', this.#factors.second],
    ];
  }

  /** What a checkpoint must hold of it; tensors are copied. */
  state(): { state: AdamWState; tensors: Map<string, StoredTensor> } {
    const tensors = this.#named().map(([name, variable]): [string, StoredTensor] => [
      name,
      { shape: variable.shape, data: variable.data() },
    ]);
    return { state: { steps: this.#steps, decay: this.#decay }, tensors: new Map(tensors) };
  }

  /** All that is kept on the device. */
  get variables(): ResourceVariable[] {
    return this.#named().map(([, variable]) => variable);
  }

  /**
   * Goes on from a state.
   * @param tensors left out where the variables get their values from elsewhere
   * @throws CheckpointError when the tensors are those of other parameters
   */
  restore({ steps, decay }: AdamWState, tensors?: Map<string, StoredTensor>): void {
    const named = tensors ? this.#named() : [];
    for (const [name, { shape }] of named)
      if (tensors!.get(name)?.shape.join() !== shape.join())
        throw new CheckpointError(
          'CHECKPOINT_PARAMETERS_DIFFER',
          `The optimizer's state is of other parameters: ${name} is not [${shape.join(', ')}].`,
          { name, shape },
        );
    for (const [name, variable] of named) {
      const value = tf.tensor(tensors!.get(name)!.data, variable.shape);
      variable.assign(value);
      value.dispose();
    }
    this.#steps = steps;
    this.#decay = decay;
  }

  /** Frees the moments' memory. */
  dispose(): void {
    for (const { first, second } of [...this.#moments.values(), this.#factors]) {
      first.dispose();
      second.dispose();
    }
  }
}

/**
 * The joint length of gradients, a scalar.
 * @param fused whether the project's own kernel may be used; default: where it runs
 */
export const globalNorm = (gradients: Map<string, Tensor>, fused = hasFusedKernels): Tensor => {
  const tensors = [...gradients.values()];
  return fused
    ? tf.sqrt(tf.addN(tensors.map(fusedSquareSum)))
    : tf.sqrt(tf.mul(tf.addN(tensors.map((gradient) => halfSquareSum(castTo(gradient, 'float32')))), 2));
};

/** The factor that scales gradients of joint length `norm` down to at most `maxNorm` (torch.nn.utils.clip_grad_norm_). */
export const clipFactor = (norm: Tensor, maxNorm: number): Tensor => tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1);
