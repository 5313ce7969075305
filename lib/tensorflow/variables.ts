/**
 * TensorFlow resource variables: state that stays on the device and is updated in place by one fused kernel. tfjs's own
 * variables are replaced, not updated: its Adam makes a dozen copies of every parameter at each step.
 */
import type { Tensor } from '@tensorflow/tfjs';
import { ArgumentError } from '../errors.js';
import { backend, binding, tf, typeAttribute } from './runtime.js';

let made = 0;
const alive = new Map<number, ResourceVariable>();

/** The variable whose handle has this id, if it is one's. */
export const variableOf = (id: number): ResourceVariable | undefined => alive.get(id);

/** A float32 variable on the device. */
export class ResourceVariable {
  readonly shape: number[];
  /** How many numbers. */
  readonly size: number;
  /** The id that kernels take. */
  readonly handle: number;

  /** @param initial its first value; the caller keeps it */
  constructor(initial: Tensor) {
    this.shape = [...initial.shape];
    this.size = initial.size;
    this.handle = binding.executeOp(
      'VarHandleOp',
      [
        { name: 'container', type: binding.TF_ATTR_STRING, value: '' },
        { name: 'shared_name', type: binding.TF_ATTR_STRING, value: `variable ${made++}` },
        typeAttribute('float32', 'dtype'),
        { name: 'shape', type: binding.TF_ATTR_SHAPE, value: this.shape },
      ],
      [],
      1,
    )[0]!.id;
    alive.set(this.handle, this);
    this.assign(initial);
  }

  /** Whether its memory was freed; it must not be used any more. */
  get isDisposed(): boolean {
    return !alive.has(this.handle);
  }

  /**
   * Replaces the value.
   * @throws ArgumentError for another shape
   */
  assign(value: Tensor): void {
    this.#write('AssignVariableOp', value);
  }

  /**
   * Adds to the value in place.
   * @throws ArgumentError for another shape
   */
  add(value: Tensor): void {
    this.#write('AssignAddVariableOp', value);
  }

  #write(kernel: string, value: Tensor): void {
    if (value.shape.join() !== this.shape.join())
      throw new ArgumentError(
        'ARGUMENT_SHAPE_MISMATCH',
        `A variable of shape [${this.shape.join(', ')}] cannot take a value of shape [${value.shape.join(', ')}].`,
        { expected: this.shape, actual: value.shape },
      );
    binding.executeOp(
      kernel,
      [typeAttribute('float32', 'dtype')],
      [this.handle, ...backend.getInputTensorIds([value])],
      0,
    );
  }

  /**
   * The value as a tensor that shares the variable's memory. Dispose of it before the next update: while it lives, an
   * update must copy the memory first.
   */
  read(): Tensor {
    return backend.createOutputTensor(
      binding.executeOp('ReadVariableOp', [typeAttribute('float32', 'dtype')], [this.handle], 1)[0]!,
    );
  }

  /** The value's numbers, copied to JavaScript. */
  data(): Float32Array {
    const value = this.read();
    const data = value.dataSync<'float32'>();
    value.dispose();
    return data;
  }

  /** Frees the device's memory. */
  dispose(): void {
    if (!alive.delete(this.handle)) return;
    binding.executeOp(
      'DestroyResourceOp',
      [{ name: 'ignore_lookup_error', type: binding.TF_ATTR_BOOL, value: true }],
      [this.handle],
      0,
    );
    binding.deleteTensor(this.handle);
  }
}

/** A variable of zeros, as optimizers begin with. */
export function zerosVariable(shape: number[]): ResourceVariable {
  const zeros = tf.fill(shape, 0);
  const variable = new ResourceVariable(zeros);
  zeros.dispose();
  return variable;
}
