/**
 * AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101), step for step what
 * torch.optim.AdamW does, on TensorFlow's fused kernel: about 60 ms a step for DistilBERT-base, where tfjs's own Adam takes 680.
 */
import type { Tensor } from '@tensorflow/tfjs';
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

  constructor(
    private readonly parameters: Map<string, ResourceVariable>,
    { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 }: AdamWOptions = {},
  ) {
    this.#options = { beta1, beta2, epsilon, weightDecay };
    this.#moments = new Map(
      [...parameters].map(([name, { shape }]) => [name, { first: zerosVariable(shape), second: zerosVariable(shape) }]),
    );
  }

  /**
   * One update in place. No tensor that shares a parameter's memory may be alive.
   * @param gradients by parameter name; the caller keeps them
   */
  step(gradients: Map<string, Tensor>, learningRate: number): void {
    const { beta1, beta2, epsilon, weightDecay } = this.#options;
    this.#steps++;
    const firstPower = beta1 ** this.#steps;
    const secondPower = beta2 ** this.#steps;
    tf.tidy(() => {
      const id = (tensor: Tensor) => backend.getInputTensorIds([tensor])[0]!;
      // The kernel adds epsilon to √v before the bias correction, PyTorch after it.
      const scalars = [firstPower, secondPower, learningRate, beta1, beta2, epsilon * Math.sqrt(1 - secondPower)].map(
        (value) => id(tf.scalar(value)),
      );
      const keep = tf.scalar(1 - learningRate * weightDecay);
      for (const [name, gradient] of gradients) {
        const parameter = this.parameters.get(name)!;
        const { first, second } = this.#moments.get(name)!;
        if (weightDecay > 0 && learningRate > 0 && isDecayed(name)) {
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
 * Scales gradients down together so that their joint length is at most `maxNorm` (torch.nn.utils.clip_grad_norm_).
 * Gradients that are replaced are disposed of.
 * @returns the length before
 */
export function clipByGlobalNorm(gradients: Map<string, Tensor>, maxNorm: number): number {
  const total = tf.tidy(() => tf.addN([...gradients.values()].map((gradient) => halfSquareSum(gradient))));
  const norm = Math.sqrt(2 * total.dataSync()[0]!);
  total.dispose();
  const factor = maxNorm / (norm + 1e-6);
  if (factor < 1)
    for (const [name, gradient] of gradients) {
      gradients.set(name, tf.mul(gradient, factor));
      gradient.dispose();
    }
  return norm;
}
