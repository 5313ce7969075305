/**
 * Dynamic loss scaling for float16 (Micikevicius et al., 2018, arXiv:1710.03740), with the constants of
 * torch.amp.GradScaler. The loss is multiplied by a scale, so that small gradients do not underflow. The scale is
 * halved when a gradient overflows and doubled after 2,000 updates without overflow. The other precisions have the
 * range of float32 and need no loss scaling.
 */
import type { Precision } from '../tensorflow/kernels.js';

const growthInterval = 2000;

/** The state of the loss scale in a checkpoint. */
export interface LossScaleState {
  /** The scale; 1 in all precisions except float16. */
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
   * Adjusts the scale after an update.
   * @param finite whether loss and gradients were finite
   * @returns whether the update must be repeated with a smaller scale
   */
  update(finite: boolean): boolean {
    if (!this.#dynamic) return false;
    if (finite) {
      this.#good++;
      if (this.#good % growthInterval === 0) this.value *= 2;
      return false;
    }
    this.#good = 0;
    // With a scale of at most 1 the range of float16 is not the cause.
    if (this.value <= 1) return false;
    this.value /= 2;
    return true;
  }
}
