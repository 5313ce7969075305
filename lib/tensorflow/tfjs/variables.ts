/** Variables of tfjs's backends: a variable holds a tensor, and a write replaces it. */
import type { Tensor } from '@tensorflow/tfjs';
import { checkShape } from '../variable-shape.js';
import { tf } from './runtime.js';

/** A float32 variable. */
export class ResourceVariable {
  readonly shape: number[];
  /** Number of elements. */
  readonly size: number;
  #value: Tensor;

  /** @param initial initial value; the caller disposes of it */
  constructor(initial: Tensor) {
    this.shape = [...initial.shape];
    this.size = initial.size;
    this.#value = tf.keep(tf.clone(initial));
  }

  /** Whether the memory has been freed. */
  get isDisposed(): boolean {
    return this.#value.isDisposed;
  }

  /**
   * Replaces the value.
   * @throws ArgumentError if the shape differs
   */
  assign(value: Tensor): void {
    checkShape(value, this.shape);
    const previous = this.#value;
    this.#value = tf.keep(tf.clone(value));
    previous.dispose();
  }

  /**
   * Adds to the value.
   * @throws ArgumentError if the shape differs
   */
  add(value: Tensor): void {
    checkShape(value, this.shape);
    tf.tidy(() => this.assign(tf.add(this.#value, value)));
  }

  /** Reads the value as a tensor that shares its memory. */
  read(): Tensor {
    return tf.clone(this.#value);
  }

  /** Copies the value to JavaScript. */
  data(): Float32Array {
    return this.#value.dataSync<'float32'>();
  }

  /** Frees the memory. */
  dispose(): void {
    this.#value.dispose();
  }
}

/** Creates a variable of zeros, the initial state of optimizers. */
export function zerosVariable(shape: number[]): ResourceVariable {
  const zeros = tf.fill(shape, 0);
  const variable = new ResourceVariable(zeros);
  zeros.dispose();
  return variable;
}
