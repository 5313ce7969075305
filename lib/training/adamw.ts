/**
 * AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101), number for number what
 * torch.optim.AdamW does after clip_grad_norm_: on a processor by the project's kernel, on a GPU by TensorFlow's fused
 * one, which tfjs's own Adam does not use.
 *
 * Gradients are clipped without touching them. The kernel's moments are averages, m += (g - m)(1 - β); an average of
 * gradients each scaled by its own factor f is the average of the unscaled ones under other weights, times the average
 * of the factors. So the clipping of a step goes into the kernel's scalars: AdamW keeps the averages of f and f² (two
 * numbers), hands the kernel the β that makes the weights come out right, and spares a pass over every gradient. Started
 * at 0, the averages of f carry Adam's bias correction with them.
 */
import type { Tensor } from '@tensorflow/tfjs';
import { fusedAdamW, fusedKernelsRun } from '../tensorflow/fused-kernels.js';
import { halfSquareSum } from '../tensorflow/kernels.js';
import { backend, binding, boolAttribute, tf, typeAttribute } from '../tensorflow/runtime.js';
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
}

/** Biases and layer norms are not decayed, as Hugging Face's Trainer has it. */
export const isDecayed = (name: string): boolean => !name.endsWith('.bias') && !/norm\.weight$/i.test(name);

export class AdamW {
  readonly #moments: Map<string, { first: ResourceVariable; second: ResourceVariable }>;
  readonly #options: Required<AdamWOptions>;
  #steps = 0;
  #averageFactor = 0;
  #averageSquaredFactor = 0;
  #decay = 1;

  constructor(
    private readonly parameters: Map<string, ResourceVariable>,
    { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 }: AdamWOptions = {},
  ) {
    this.#options = { beta1, beta2, epsilon, weightDecay };
    this.#moments = new Map(
      [...parameters].map(([name, { shape }]) => [name, { first: zerosVariable(shape), second: zerosVariable(shape) }]),
    );
  }

  /** What weight decay alone has made of a decayed weight whose gradient was always 0, as a factor. */
  get decay(): number {
    return this.#decay;
  }

  /**
   * One update in place. No tensor that shares a parameter's memory may be alive.
   * @param gradients by parameter name; the caller keeps them
   * @param factor the gradients count as multiplied by it, see clipFactor; default 1
   */
  step(gradients: Map<string, Tensor>, learningRate: number, factor = 1): void {
    const { beta1, beta2, epsilon, weightDecay } = this.#options;
    this.#steps++;
    const first = beta1 * this.#averageFactor + (1 - beta1) * factor;
    const second = beta2 * this.#averageSquaredFactor + (1 - beta2) * factor * factor;
    const firstWeight = (beta1 * this.#averageFactor) / first;
    const secondWeight = (beta2 * this.#averageSquaredFactor) / second;
    [this.#averageFactor, this.#averageSquaredFactor] = [first, second];
    // The moments after bias correction are the kernel's times `mean` and `deviation` squared.
    const mean = first / (1 - beta1 ** this.#steps);
    const deviation = Math.sqrt(second / (1 - beta2 ** this.#steps));
    const keep = 1 - learningRate * weightDecay;
    this.#decay *= keep;
    tf.tidy(() => {
      const id = (tensor: Tensor) => backend.getInputTensorIds([tensor])[0]!;
      const values = [(learningRate * mean) / deviation, firstWeight, secondWeight, epsilon / deviation];
      const fused = fusedKernelsRun ? tf.tensor1d([...values, keep]) : undefined;
      // beta1_power and beta2_power, 0 since no correction is left to do, then lr, beta1, beta2 and epsilon.
      const scalars = fused ? [] : [0, 0, ...values].map((value) => id(tf.scalar(value)));
      for (const [name, gradient] of gradients) {
        const parameter = this.parameters.get(name)!;
        const { first, second } = this.#moments.get(name)!;
        if (fused) {
          fusedAdamW(parameter, first, second, gradient, fused, isDecayed(name));
          continue;
        }
        if (keep !== 1 && isDecayed(name)) {
          const decayed = tf.tidy(() => tf.mul(parameter.read(), keep));
          parameter.assign(decayed);
          decayed.dispose();
        }
        binding.executeOp(
          'ResourceApplyAdam',
          [typeAttribute('float32'), boolAttribute('use_locking', false), boolAttribute('use_nesterov', false)],
          [parameter.handle, first.handle, second.handle, ...scalars, id(gradient)],
          0,
        );
      }
    });
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
 * The factor that scales gradients down to a joint length of at most `maxNorm`, else 1 (torch.nn.utils.clip_grad_norm_).
 * @returns the length before, too
 */
export function clipFactor(gradients: Map<string, Tensor>, maxNorm: number): { norm: number; factor: number } {
  const total = tf.tidy(() => tf.addN([...gradients.values()].map((gradient) => halfSquareSum(gradient))));
  const norm = Math.sqrt(2 * total.dataSync()[0]!);
  total.dispose();
  return { norm, factor: Math.min(1, maxNorm / (norm + 1e-6)) };
}
