/**
 * Dynamic loss scaling for float16 (Micikevicius et al., 2018, arXiv:1710.03740), with the numbers of
 * torch.amp.GradScaler: gradients are taken of a multiple of the loss, so that small ones do not vanish; where one
 * overflows, the multiple is halved, and after 2,000 updates without that doubled. The other precisions have float32's
 * range and need none.
 */
import type { Precision } from '../tensorflow/kernels.js';

const growthInterval = 2000;

/** The scale as a checkpoint keeps it. */
export interface LossScaleState {
  /** What losses are multiplied by; 1 in all precisions but float16. */
  value: number;
  /** Updates since the last overflow. */
  good: number;
}

export class LossScale {
  value: number;
  readonly #dynamic: boolean;
  #good = 0;

  constructor(precision: Precision) {
    this.#dynamic = precision === 'float16';
    this.value = this.#dynamic ? 2 ** 16 : 1;
  }

  get state(): LossScaleState {
    return { value: this.value, good: this.#good };
  }

  set state({ value, good }: LossScaleState) {
    this.value = value;
    this.#good = good;
  }

  /**
   * @param finite whether the update's gradients were finite numbers
   * @returns whether the update should be tried again, with a smaller scale
   */
  see(finite: boolean): boolean {
    if (!this.#dynamic) return false;
    if (finite) {
      this.#good++;
      if (this.#good % growthInterval === 0) this.value *= 2;
      return false;
    }
    this.#good = 0;
    // Below 1 it is not float16's range that fails.
    if (this.value <= 1) return false;
    this.value /= 2;
    return true;
  }
}
