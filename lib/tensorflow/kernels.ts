/**
 * TensorFlow kernels, as functions of tensors, that tfjs lacks or calls inefficiently. They have no gradients; layers
 * use them to implement gradients (tf.customGrad).
 */
import type { Rank, Tensor, Tensor1D } from '@tensorflow/tfjs';
import {
  backend,
  binding,
  boolAttribute,
  execute,
  executeOne,
  intAttribute,
  nativeType,
  nativeTypes,
  tf,
  typeAttribute,
  typeAttributeOf,
  typeOf,
} from './runtime.js';
import type { ResourceVariable } from './variables.js';

/** Type of matrix products; everything else is float32. */
export type Precision = 'float32' | 'bfloat16' | 'float16';

const float = typeAttribute('float32');

/** TensorFlow's number of the Philox random number generator (rng_alg.h). */
const philox = 1;

/**
 * Casts a tensor to another precision, rounding to the nearest value.
 * @returns the tensor itself if it already has that precision
 */
export const castTo = (x: Tensor, precision: Precision): Tensor =>
  castToType(x, precision === 'float32' ? binding.TF_FLOAT : nativeTypes[precision]);

/** Casts a tensor to a type, given by its number in TensorFlow, see nativeType. */
export function castToType(x: Tensor, type: number): Tensor {
  const from = nativeType(x);
  return from === type ? x : executeOne('Cast', [typeAttributeOf(from, 'SrcT'), typeAttributeOf(type, 'DstT')], [x]);
}

/**
 * Product of two matrices of the same precision: [m, k] x [k, n] -> [m, n]. The kernel can transpose either of them at
 * no cost. Products of 16-bit values are accumulated in float32, and the sum is rounded.
 */
export const matMul = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
  executeOne(
    'MatMul',
    [typeOf(a), boolAttribute('transpose_a', transposeA), boolAttribute('transpose_b', transposeB)],
    [a, b],
  );

/** Products of two stacks of matrices of the same precision: [..., m, k] x [..., k, n] -> [..., m, n]. */
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

/** a · b, and 0 where `b` is 0, even where `a` is NaN or infinite. */
export const multiplyNoNan = (a: Tensor, b: Tensor): Tensor => executeOne('MulNoNan', [float], [a, b]);

/**
 * Updates one parameter with Adam, in place and without bias correction (ResourceApplyAdam).
 * @param scalars scalar tensors
 */
export function applyAdam(
  parameter: ResourceVariable,
  first: ResourceVariable,
  second: ResourceVariable,
  gradient: Tensor,
  scalars: Record<'learningRate' | 'beta1' | 'beta2' | 'epsilon', Tensor>,
): void {
  const zero = tf.scalar(0); // The powers of the betas; 0 disables the bias correction of the kernel.
  const { learningRate, beta1, beta2, epsilon } = scalars;
  binding.executeOp(
    'ResourceApplyAdam',
    [float, boolAttribute('use_locking', false), boolAttribute('use_nesterov', false)],
    [
      parameter.handle,
      first.handle,
      second.handle,
      ...backend.getInputTensorIds([zero, zero, learningRate, beta1, beta2, epsilon, gradient]),
    ],
    0,
  );
}

/** `a` where the condition is true, else `b`, with broadcasting. */
export const select = (condition: Tensor, a: Tensor, b: Tensor): Tensor =>
  executeOne('SelectV2', [float], [condition, a, b]);

/** Rows by their ids: [rows, width], [n] -> [n, width]. tf.gather would copy the ids to JavaScript to check them. */
export const gatherRows = (table: Tensor, ids: Tensor1D): Tensor =>
  executeOne(
    'GatherV2',
    [typeAttribute('float32', 'Tparams'), typeAttribute('int32', 'Tindices'), typeAttribute('int32', 'Taxis')],
    [table, ids, tf.scalar(0, 'int32')],
  );

/** The number of rows of a tensor, a scalar. In a graph it is that of the current input, unlike `x.shape[0]`. */
export const rowCount = (x: Tensor): Tensor => {
  const shape = executeOne('Shape', [typeOf(x), typeAttribute('int32', 'out_type')], [x]);
  return tf.tidy(() => stridedSlice(shape, 0, 1, true));
};

/** x[from:to] of a list; `element` returns x[from] as a scalar. */
const stridedSlice = (x: Tensor, from: number, to: number, element = false): Tensor =>
  executeOne(
    'StridedSlice',
    [
      typeOf(x),
      typeAttribute('int32', 'Index'),
      ...['begin_mask', 'end_mask', 'ellipsis_mask', 'new_axis_mask'].map((name) => intAttribute(name, 0)),
      intAttribute('shrink_axis_mask', element ? 1 : 0),
    ],
    [x, tf.tensor1d([from], 'int32'), tf.tensor1d([to], 'int32'), tf.tensor1d([1], 'int32')],
  );

/** All rows, or elements of a list, but the last one. */
export const withoutLast = <T extends Tensor>(x: T): T => stridedSlice(x, 0, -1) as T;

/** Rows of a matrix: [rows, width] -> [count, width]. */
export const sliceRows = (x: Tensor, from: number, count: number): Tensor =>
  executeOne(
    'Slice',
    [typeOf(x), typeAttribute('int32', 'Index')],
    [x, tf.tensor1d([from, 0], 'int32'), tf.tensor1d([count, -1], 'int32')],
  );

/** Columns of a matrix: [n, width] -> [n, count]. */
export const sliceColumns = (x: Tensor, from: number, count: number): Tensor =>
  executeOne(
    'Slice',
    [typeOf(x), typeAttribute('int32', 'Index')],
    [x, tf.tensor1d([0, from], 'int32'), tf.tensor1d([-1, count], 'int32')],
  );

/** Joins matrices of the same type: along rows (axis 0) or columns (axis 1). */
export const concatenate = (parts: Tensor[], axis: 0 | 1): Tensor =>
  executeOne(
    'ConcatV2',
    [intAttribute('N', parts.length), typeOf(parts[0]!), typeAttribute('int32', 'Tidx')],
    [...parts, tf.scalar(axis, 'int32')],
  );

/** Zeros before and after the rows of a matrix: [rows, width] -> [before + rows + after, width]. */
export const padRows = (x: Tensor, before: number, after: number): Tensor =>
  executeOne(
    'Pad',
    [typeOf(x), typeAttribute('int32', 'Tpaddings')],
    [
      x,
      tf.tensor2d(
        [
          [before, after],
          [0, 0],
        ],
        undefined,
        'int32',
      ),
    ],
  );

/** A matrix with a row of zeros at the end. */
export const withZeroRow = (x: Tensor): Tensor => padRows(x, 0, 1);

/**
 * The section that each row of a matrix belongs to: x [n, width], offsets [sections + 1], the first row of each section and
 * the row after the last one -> [n], int32. Rows after the last section have the number of sections.
 */
export function sectionOf(x: Tensor, offsets: Tensor1D): Tensor1D {
  const int32 = typeAttribute('int32');
  const matrixOf = (list: Tensor) =>
    executeOne('ExpandDims', [int32, typeAttribute('int32', 'Tdim')], [list, tf.scalar(0, 'int32')]); // [1, n]
  const following = executeOne(
    'UpperBound',
    [int32, typeAttribute('int32', 'out_type')],
    [matrixOf(offsets), matrixOf(indicesOf(x))],
  ); // [1, n]
  const sections = tf.sub(following, tf.scalar(1, 'int32'));
  return executeOne(
    'Reshape',
    [int32, typeAttribute('int32', 'Tshape')],
    [sections, tf.tensor1d([-1], 'int32')],
  ) as Tensor1D;
}

/** 0, 1, … for each row, or element of a list, int32. */
export const indicesOf = (x: Tensor): Tensor1D =>
  executeOne(
    'Range',
    [typeAttribute('int32', 'Tidx')],
    [tf.scalar(0, 'int32'), rowCount(x), tf.scalar(1, 'int32')],
  ) as Tensor1D;

/**
 * Sums the rows with equal ids, the gradient of `gatherRows`: values [n, width], ids [n] -> [rows, width]. Rows with
 * negative ids are left out.
 * @param rows a scalar
 */
export const sumRows = (values: Tensor, ids: Tensor, rows: Tensor): Tensor =>
  executeOne(
    'UnsortedSegmentSum',
    [typeOf(values), typeAttribute('int32', 'Tindices'), typeAttribute('int32', 'Tnumsegments')],
    [values, ids, rows],
  );

/** A list as a column: [n] -> [n, 1]. */
export const columnOf = (x: Tensor1D): Tensor =>
  executeOne('ExpandDims', [typeOf(x), typeAttribute('int32', 'Tdim')], [x, tf.scalar(1, 'int32')]);

/** The gradient of relu: `dy` where the output `y` is above 0. */
export const reluGradient = (dy: Tensor, y: Tensor): Tensor => executeOne('ReluGrad', [float], [dy, y]);

/** Overwrites rows of a variable [rows, width] in place: at ids [n] with the values [n, width]. */
export function scatterRows(variable: ResourceVariable, ids: Tensor1D, values: Tensor): void {
  binding.executeOp(
    'ResourceScatterUpdate',
    [typeAttribute('float32', 'dtype'), typeAttribute('int32', 'Tindices')],
    [variable.handle, ...backend.getInputTensorIds([ids, values])],
    0,
  );
}

/**
 * Computes the cross-entropy of each row and its gradient by the logits in one kernel.
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

/**
 * Computes the cross-entropy of each row with a distribution over the classes, and its gradient by the logits.
 * @param logits [n, classes]
 * @param targets probabilities, [n, classes]
 */
export function softmaxCrossEntropy(logits: Tensor, targets: Tensor): { losses: Tensor; gradient: Tensor } {
  const [losses, gradient] = execute('SoftmaxCrossEntropyWithLogits', [float], [logits, targets], 2);
  return { losses: losses!, gradient: gradient! };
}

/** Standard normal random values that depend only on the seed ([2], int32). */
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
 * A dropout mask: true with probability 1 - rate (rounded to 1/65,536). Depends only on the seed ([2], int32), on every
 * device and with XLA. tf.randomUniform would draw float32 values in a JavaScript loop. Here 16 bits decide, so that
 * each 32-bit draw serves two elements and the comparison works on half the bytes.
 */
export function statelessKeep(shape: number[], rate: number, seed: Tensor1D): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const draws = Math.ceil(count / 2);
  const int16 = nativeTypes.int16;
  return tf.tidy(() => {
    const toInt16 = [typeAttribute('int32', 'SrcT'), typeAttributeOf(int16, 'DstT')];
    const random = statelessInteger(tf.tensor1d([draws], 'int32'), seed); // [draws], int32
    // [draws, 2]
    const halves = executeOne('Bitcast', [typeAttribute('int32'), typeAttributeOf(int16, 'type')], [random]);
    const threshold = executeOne('Cast', toInt16, [tf.scalar(Math.round(rate * 65536) - 32768, 'int32')]);
    const kept = executeOne('GreaterEqual', [typeAttributeOf(int16)], [halves, threshold]);
    const flat = tf.reshape<Rank.R1>(kept, [2 * draws]);
    return tf.reshape(count % 2 ? tf.slice(flat, 0, count) : flat, shape);
  });
}

/** Random int32 values. Requests Philox, since the default generator of XLA differs from that of the kernels. */
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
