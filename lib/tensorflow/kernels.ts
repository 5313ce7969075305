/**
 * TensorFlow kernels that tfjs either lacks or reaches by a detour, as functions over tensors. None has a gradient of
 * its own: they are what gradients are written with (tf.customGrad).
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { boolAttribute, execute, executeOne, tf, typeAttribute } from './runtime.js';

const float = typeAttribute('float32');

/** Product of two matrices, either transposed inside the kernel at no cost: [m, k] x [k, n] -> [m, n]. */
export const matMul = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
  executeOne(
    'MatMul',
    [float, boolAttribute('transpose_a', transposeA), boolAttribute('transpose_b', transposeB)],
    [a, b],
  );

/** Products of two stacks of matrices: [..., m, k] x [..., k, n] -> [..., m, n]. */
export const batchMatMul = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
  executeOne('BatchMatMulV2', [float, boolAttribute('adj_x', transposeA), boolAttribute('adj_y', transposeB)], [a, b]);

/** Adds a bias to each row: [n, width] + [width]. */
export const biasAdd = (x: Tensor, bias: Tensor): Tensor => executeOne('BiasAdd', [float], [x, bias]);

/** The gradient of a bias: the sum over rows, [n, width] -> [width]. */
export const biasAddGradient = (dy: Tensor): Tensor => executeOne('BiasAddGrad', [float], [dy]);

/** Softmax over the last axis. */
export const softmax = (logits: Tensor): Tensor => executeOne('Softmax', [float], [logits]);

/** Half the sum of squares, a scalar. */
export const halfSquareSum = (x: Tensor): Tensor => executeOne('L2Loss', [float], [x]);

/** Where the condition holds `a`, else `b`, with broadcasting. */
export const select = (condition: Tensor, a: Tensor, b: Tensor): Tensor =>
  executeOne('SelectV2', [float], [condition, a, b]);

/**
 * Sums rows into the rows that ids name, the gradient of looking rows up: [n, width] by [n] -> [rows, width].
 */
export const sumRows = (values: Tensor, ids: Tensor, rows: number): Tensor => {
  const count = tf.scalar(rows, 'int32');
  const sums = executeOne(
    'UnsortedSegmentSum',
    [float, typeAttribute('int32', 'Tindices'), typeAttribute('int32', 'Tnumsegments')],
    [values, ids, count],
  );
  count.dispose();
  return sums;
};

/**
 * Cross-entropy of each row and its gradient by the logits in one kernel.
 * @param logits [n, classes]
 * @param labels [n], int32
 */
export function sparseCrossEntropy(logits: Tensor, labels: Tensor): { losses: Tensor; gradient: Tensor } {
  const [losses, gradient] = execute(
    'SparseSoftmaxCrossEntropyWithLogits',
    [float, typeAttribute('int32', 'Tlabels')],
    [logits, labels],
    2,
  );
  return { losses: losses!, gradient: gradient! };
}

function stateless(kernel: string, shape: number[], seed: Tensor1D): Tensor {
  const size = tf.tensor1d(shape, 'int32');
  const numbers = executeOne(
    kernel,
    [typeAttribute('float32', 'dtype'), typeAttribute('int32'), typeAttribute('int32', 'Tseed')],
    [size, seed],
  );
  size.dispose();
  return numbers;
}

/** Uniform numbers in [0, 1) that depend on the seed alone ([2], int32). tf.randomUniform draws them in a JavaScript loop. */
export const statelessUniform = (shape: number[], seed: Tensor1D): Tensor =>
  stateless('StatelessRandomUniform', shape, seed);

/** Standard normal numbers that depend on the seed alone ([2], int32). */
export const statelessNormal = (shape: number[], seed: Tensor1D): Tensor =>
  stateless('StatelessRandomNormal', shape, seed);
