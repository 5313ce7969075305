/** The check of values that are written to variables, which both implementations of variables share. */
import type { Tensor } from '@tensorflow/tfjs';
import { ArgumentError } from '../errors.js';

/** @throws ArgumentError if a value does not have the shape of the variable */
export function checkShape({ shape }: Tensor, expected: number[]): void {
  if (shape.join() !== expected.join())
    throw new ArgumentError(
      'ARGUMENT_SHAPE_MISMATCH',
      `A variable of shape [${expected.join(', ')}] cannot store a value of shape [${shape.join(', ')}].`,
      { expected, actual: shape },
    );
}
