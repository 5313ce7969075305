/**
 * TensorFlow resource variables: state on the device that one fused kernel updates in place. tfjs replaces its own
 * variables instead: its Adam creates a dozen copies of every parameter at each step.
 */
import type { Tensor } from '@tensorflow/tfjs';
import { backend, binding, tf, typeAttribute } from './runtime.js';
import { checkShape } from './variable-shape.js';

let variableCount = 0;
const alive = new Map<number, ResourceVariable>();

/** The variable with this handle; undefined if there is none. */
export const variableOf = (id: number): ResourceVariable | undefined => alive.get(id);

function write({ handle, shape }: ResourceVariable, kernel: string, value: Tensor): void {
  checkShape(value, shape);
  binding.executeOp(kernel, [typeAttribute('float32', 'dtype')], [handle, ...backend.getInputTensorIds([value])], 0);
}

/** A float32 variable on the device. */
export class ResourceVariable {
  readonly shape: number[];
  /** Number of elements. */
  readonly size: number;
  /** The id of the variable for kernels. */
  readonly handle: number;

  /** @param initial initial value; the caller disposes of it */
  constructor(initial: Tensor) {
    this.shape = [...initial.shape];
    this.size = initial.size;
    this.handle = binding.executeOp(
      'VarHandleOp',
      [
        { name: 'container', type: binding.TF_ATTR_STRING, value: '' },
        { name: 'shared_name', type: binding.TF_ATTR_STRING, value: `variable ${variableCount++}` },
        typeAttribute('float32', 'dtype'),
        { name: 'shape', type: binding.TF_ATTR_SHAPE, value: this.shape },
      ],
      [],
      1,
    )[0]!.id;
    alive.set(this.handle, this);
    this.assign(initial);
  }

  /** Whether the memory has been freed. A disposed variable must not be used. */
  get isDisposed(): boolean {
    return !alive.has(this.handle);
  }

  /**
   * Replaces the value.
   * @throws ArgumentError if the shape differs
   */
  assign(value: Tensor): void {
    write(this, 'AssignVariableOp', value);
  }

  /**
   * Adds to the value in place.
   * @throws ArgumentError if the shape differs
   */
  add(value: Tensor): void {
    write(this, 'AssignAddVariableOp', value);
  }

  /**
   * Reads the value as a tensor that shares the memory of the variable. Dispose of it before the next update; otherwise
   * the update must copy the memory first.
   */
  read(): Tensor {
    return backend.createOutputTensor(
      binding.executeOp('ReadVariableOp', [typeAttribute('float32', 'dtype')], [this.handle], 1)[0]!,
    );
  }

  /** Copies the value to JavaScript. */
  data(): Float32Array {
    const value = this.read();
    const data = value.dataSync<'float32'>();
    value.dispose();
    return data;
  }

  /** Frees the memory on the device. */
  dispose(): void {
    if (this.isDisposed) return;
    // First, since a capture rejects it.
    binding.executeOp(
      'DestroyResourceOp',
      [{ name: 'ignore_lookup_error', type: binding.TF_ATTR_BOOL, value: true }],
      [this.handle],
      0,
    );
    alive.delete(this.handle);
    binding.deleteTensor(this.handle);
  }
}

/** Creates a variable of zeros, the initial state of optimizers. */
export function zerosVariable(shape: number[]): ResourceVariable {
  const zeros = tf.fill(shape, 0);
  const variable = new ResourceVariable(zeros);
  zeros.dispose();
  return variable;
}
