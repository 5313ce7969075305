/**
 * TensorFlow kernels that tfjs either lacks or reaches by a detour, as functions over tensors. None has a gradient of
 * its own: they are what gradients are written with (tf.customGrad).
 */
import type { Rank, Tensor, Tensor1D } from '@tensorflow/tfjs';
import {
  backend,
  binding,
  boolAttribute,
  execute,
  executeOne,
  nativeType,
  nativeTypes,
  tf,
  typeAttribute,
  typeAttributeOf,
  typeOf,
} from './runtime.js';
import type { ResourceVariable } from './variables.js';

/** Number type of matrix products; everything else is float32. */
export type Precision = 'float32' | 'bfloat16' | 'float16';

const float = typeAttribute('float32');

/** TensorFlow's number of the generator (rng_alg.h). */
const philox = 1;

/**
 * The same numbers in another precision, to the nearest.
 * @returns the tensor itself where it has that precision already
 */
export function castTo(x: Tensor, precision: Precision): Tensor {
  const from = nativeType(x);
  const to = precision === 'float32' ? binding.TF_FLOAT : nativeTypes[precision];
  return from === to ? x : executeOne('Cast', [typeAttributeOf(from, 'SrcT'), typeAttributeOf(to, 'DstT')], [x]);
}

/**
 * Product of two matrices of one precision, either transposed inside the kernel at no cost: [m, k] x [k, n] -> [m, n].
 * Products of 16-bit numbers are added up in float32, and the sum is rounded.
 */
export const matMul = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
  executeOne(
    'MatMul',
    [typeOf(a), boolAttribute('transpose_a', transposeA), boolAttribute('transpose_b', transposeB)],
    [a, b],
  );

/** Products of two stacks of matrices of one precision: [..., m, k] x [..., k, n] -> [..., m, n]. */
export const batchMatMul = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
  executeOne(
    'BatchMatMulV2',
    [typeOf(a), boolAttribute('adj_x', transposeA), boolAttribute('adj_y', transposeB)],
    [a, b],
  );

/** Adds a bias to each row: [n, width] + [width]. */
export const biasAdd = (x: Tensor, bias: Tensor): Tensor => executeOne('BiasAdd', [float], [x, bias]);

/** The gradient of a bias: the sum over rows, [n, width] -> [width]. */
export const biasAddGradient = (dy: Tensor): Tensor => executeOne('BiasAddGrad', [float], [dy]);

/** Softmax over the last axis. */
export const softmax = (logits: Tensor): Tensor => executeOne('Softmax', [float], [logits]);

/** Half the sum of squares, a scalar. */
export const halfSquareSum = (x: Tensor): Tensor => executeOne('L2Loss', [float], [x]);

/** a · b, and 0 where b is 0, even where a is no number. */
export const multiplyNoNan = (a: Tensor, b: Tensor): Tensor => executeOne('MulNoNan', [float], [a, b]);

/**
 * Adam's update of one parameter in place, without bias correction (ResourceApplyAdam).
 * @param scalars tensors
 */
export function applyAdam(
  parameter: ResourceVariable,
  first: ResourceVariable,
  second: ResourceVariable,
  gradient: Tensor,
  scalars: Record<'learningRate' | 'beta1' | 'beta2' | 'epsilon', Tensor>,
): void {
  const none = tf.scalar(0); // The powers of the betas that the kernel would correct by.
  const { learningRate, beta1, beta2, epsilon } = scalars;
  binding.executeOp(
    'ResourceApplyAdam',
    [float, boolAttribute('use_locking', false), boolAttribute('use_nesterov', false)],
    [
      ...[parameter.handle, first.handle, second.handle],
      ...backend.getInputTensorIds([none, none, learningRate, beta1, beta2, epsilon, gradient]),
    ],
    0,
  );
}

/** Where the condition holds `a`, else `b`, with broadcasting. */
export const select = (condition: Tensor, a: Tensor, b: Tensor): Tensor =>
  executeOne('SelectV2', [float], [condition, a, b]);

/** Rows by their ids: [rows, width], [n] -> [n, width]. tf.gather would read the ids back to look at them. */
export const gatherRows = (table: Tensor, ids: Tensor1D): Tensor =>
  executeOne(
    'GatherV2',
    [typeAttribute('float32', 'Tparams'), typeAttribute('int32', 'Tindices'), typeAttribute('int32', 'Taxis')],
    [table, ids, tf.scalar(0, 'int32')],
  );

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

/** Writes rows of a variable in place: [rows, width], at ids [n], the values [n, width]. */
export function scatterRows(variable: ResourceVariable, ids: Tensor1D, values: Tensor): void {
  binding.executeOp(
    'ResourceScatterUpdate',
    [typeAttribute('float32', 'dtype'), typeAttribute('int32', 'Tindices')],
    [variable.handle, ...backend.getInputTensorIds([ids, values])],
    0,
  );
}

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

/** Standard normal numbers that depend on the seed alone ([2], int32). */
export function statelessNormal(shape: number[], seed: Tensor1D): Tensor {
  const size = tf.tensor1d(shape, 'int32');
  const numbers = executeOne(
    'StatelessRandomNormal',
    [typeAttribute('float32', 'dtype'), typeAttribute('int32'), typeAttribute('int32', 'Tseed')],
    [size, seed],
  );
  size.dispose();
  return numbers;
}

/**
 * True with probability 1 - rate (to 1/65,536), depending on the seed alone ([2], int32), on every device and under XLA.
 * tf.randomUniform draws in a JavaScript loop, and a float32 is more chance than a yes or no needs: 16 bits decide, so
 * each draw serves two, and the comparison works on half the bytes.
 */
export function statelessKeep(shape: number[], rate: number, seed: Tensor1D): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const draws = Math.ceil(count / 2);
  const int16 = nativeTypes.int16;
  return tf.tidy(() => {
    const toInt16 = [typeAttribute('int32', 'SrcT'), typeAttributeOf(int16, 'DstT')];
    const random = statelessInteger(tf.tensor1d([draws], 'int32'), seed); // [draws], int32
    const halves = executeOne('Bitcast', [typeAttribute('int32'), typeAttributeOf(int16, 'type')], [random]); // [draws, 2]
    const least = executeOne('Cast', toInt16, [tf.scalar(Math.round(rate * 65536) - 32768, 'int32')]);
    const kept = executeOne('GreaterEqual', [typeAttributeOf(int16)], [halves, least]);
    const flat = tf.reshape<Rank.R1>(kept, [2 * draws]);
    return tf.reshape(count % 2 ? tf.slice(flat, 0, count) : flat, shape);
  });
}

/** Philox by name: left to itself, XLA takes another generator than TensorFlow's kernels do. */
function statelessInteger(shape: Tensor1D, seed: Tensor1D): Tensor {
  const { uint64 } = nativeTypes;
  const toUint64 = [typeAttribute('int32', 'SrcT'), typeAttributeOf(uint64, 'DstT')];
  const [first, second] = tf.split(seed, 2); // [1] each
  const key = executeOne('Cast', toUint64, [first!]);
  const counter = executeOne('Cast', toUint64, [tf.concat([tf.zeros([1], 'int32'), second!])]);
  return executeOne(
    'StatelessRandomUniformFullIntV2',
    [typeAttribute('int32', 'dtype'), typeAttribute('int32', 'Tshape')],
    [shape, key, counter, tf.scalar(philox, 'int32')],
  );
}
