/**
 * The operations of kernels.ts, composed of those of tfjs. Where there is a choice it is the fastest one on the WASM backend of
 * tfjs 4.22, measured on 1,024 rows of width 1,536: it multiplies transposed matrices 12 to 20 times as slowly as it transposes
 * and multiplies them, GatherV2 takes 75 ms where GatherNd takes 0.3 ms, and a sum over rows 19 ms where a product with ones takes
 * 0.3 ms.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import type * as Native from '../kernels.js';
import type { ResourceVariable } from '../variables.js';
import { philox } from './philox.js';
import { tf } from './runtime.js';

/** A variable, as far as it is used here. */
type Variable = Pick<ResourceVariable, 'read' | 'assign'>;

/** The tensor itself, since there is one precision only. */
export const castTo: typeof Native.castTo = (x) => x;

/** The tensor itself. */
export const castToType: typeof Native.castToType = (x) => x;

/**
 * Product of two matrices, of which either may be transposed. Of x · weightᵀ with fewer tokens than outputs, (weight · xᵀ)ᵀ is
 * computed: the backend reorders the second matrix before it multiplies, which should be the smaller one.
 */
export const matMul = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
  transposeB && !transposeA && a.shape[0] < b.shape[0]
    ? tf.transpose(tf.matMul(b, tf.transpose(a)))
    : tf.matMul(transposeA ? tf.transpose(a) : a, transposeB ? tf.transpose(b) : b);

/** Products of two stacks of matrices. */
export const batchMatMul: typeof Native.batchMatMul = (a, b, transposeA, transposeB) =>
  tf.matMul(a, b, transposeA, transposeB);

/** Adds a bias to each row. */
export const biasAdd: typeof Native.biasAdd = (x, bias) => tf.add(x, bias);

/** The sum over rows: [n, width] -> [width]. */
export const biasAddGradient = (dy: Tensor): Tensor => tf.reshape(tf.matMul(tf.ones([1, dy.shape[0]]), dy), [-1]);

/** Softmax over the last axis. */
export const softmax: typeof Native.softmax = (logits) => tf.softmax(logits);

/** Half the sum of squares: first of each row, since a sum of millions of float32 values in sequence is not precise. */
export const halfSquareSum: typeof Native.halfSquareSum = (x) => tf.mul(tf.sum(tf.sum(tf.square(x), -1)), 0.5);

/** Whether a scalar is 0; undefined on a GPU, whose results cannot be waited for. */
const isZero = (x: Tensor): boolean | undefined => (tf.getBackend() === 'webgpu' ? undefined : x.dataSync()[0] === 0);

/** a · b, and 0 where the scalar `b` is 0. */
export function multiplyNoNan(a: Tensor, b: Tensor): Tensor {
  const zero = isZero(b);
  if (zero === undefined) return tf.where(tf.notEqual(b, 0), tf.mul(a, b), 0);
  return zero ? tf.zerosLike(a) : tf.mul(a, b);
}

/** Updates one parameter with Adam, without bias correction. */
export function applyAdam(
  parameter: Variable,
  first: Variable,
  second: Variable,
  gradient: Tensor,
  { learningRate, beta1, beta2, epsilon }: Parameters<typeof Native.applyAdam>[4],
): void {
  const average = (variable: Variable, beta: Tensor, value: Tensor) => {
    variable.assign(tf.add(tf.mul(variable.read(), beta), tf.mul(value, tf.sub(1, beta))));
    return variable.read();
  };
  tf.tidy(() => {
    const mean = average(first, beta1, gradient);
    const deviation = tf.sqrt(average(second, beta2, tf.square(gradient)));
    parameter.assign(tf.sub(parameter.read(), tf.div(tf.mul(mean, learningRate), tf.add(deviation, epsilon))));
  });
}

/** `a` where the condition is true, else `b`. A mask multiplies: tf.where would tile the scalar 0, which takes 20 times as long. */
export const select: typeof Native.select = (condition, a, b) =>
  b.size === 1 && isZero(b) ? tf.mul(a, tf.cast(condition, 'float32')) : tf.where(condition, a, b);

/** Rows by their ids: [rows, width], [n] -> [n, width]. */
export const gatherRows: typeof Native.gatherRows = (table, ids) => tf.gatherND(table, columnOf(ids));

/** The number of rows, a scalar. */
export const rowCount = (x: Tensor): Tensor => tf.scalar(x.shape[0], 'int32');

/** All rows, or elements of a list, but the last one. */
export const withoutLast = <T extends Tensor>(x: T): T => sliceRows(x, 0, x.shape[0] - 1) as T;

/** Rows of a matrix, or elements of a list. */
export const sliceRows: typeof Native.sliceRows = (x, from, count) =>
  tf.slice(x, [from, ...x.shape.slice(1).fill(0)], [count, ...x.shape.slice(1)]);

/** Columns of a matrix. */
export const sliceColumns: typeof Native.sliceColumns = (x, from, count) => tf.slice(x, [0, from], [-1, count]);

/** Joins matrices along rows (axis 0) or columns (axis 1). */
export const concatenate: typeof Native.concatenate = (parts, axis) => tf.concat(parts, axis);

/** Zeros before and after the rows of a matrix. */
export const padRows: typeof Native.padRows = (x, before, after) =>
  tf.pad(x, [
    [before, after],
    [0, 0],
  ]);

/** A matrix with a row of zeros at the end. */
export const withZeroRow: typeof Native.withZeroRow = (x) => padRows(x, 0, 1);

/** The section that each row of a matrix belongs to. */
export const sectionOf: typeof Native.sectionOf = (x, offsets) =>
  tf.reshape(tf.sub(tf.upperBound(offsets, indicesOf(x)), tf.scalar(1, 'int32')), [-1]);

/** 0, 1, … for each row, or element of a list. */
export const indicesOf = (x: Tensor): Tensor1D => tf.range(0, x.shape[0], 1, 'int32');

/** Sums the rows with equal ids: values [n, width], ids [n] -> [rows, width]. */
export const sumRows: typeof Native.sumRows = (values, ids, rows) => {
  const count = rows.dataSync()[0]!;
  const last = tf.scalar(count, 'int32');
  // Rows with negative ids are added to one more row. Not by tf.where, which would copy the scalar.
  const isNegative = tf.cast(tf.less(ids, tf.scalar(0, 'int32')), 'int32');
  const targets = tf.add(ids, tf.mul(isNegative, tf.sub(last, ids))); // [n]
  const sums = tf.scatterND(columnOf(targets as Tensor1D), values, [count + 1, ...values.shape.slice(1)]);
  return sliceRows(sums, 0, count);
};

/** A list as a column. */
export const columnOf: typeof Native.columnOf = (x) => tf.expandDims(x, 1);

/** The gradient of relu: `dy` where the output `y` is above 0. */
export const reluGradient: typeof Native.reluGradient = (dy, y) => tf.mul(dy, tf.step(y));

/** Overwrites rows of a variable: at ids [n] with the values [n, width]. */
export const scatterRows = (variable: Variable, ids: Tensor1D, values: Tensor): void =>
  tf.tidy(() => variable.assign(tf.tensorScatterUpdate(variable.read(), columnOf(ids), values)));

/** The cross-entropy of each row with its class, and its gradient by the logits. */
export const sparseCrossEntropy = (logits: Tensor, labels: Tensor): { losses: Tensor; gradient: Tensor } =>
  softmaxCrossEntropy(logits, tf.cast(tf.oneHot(labels as Tensor1D, logits.shape[1]!), 'float32'));

/** The cross-entropy of each row with a distribution over the classes, and its gradient by the logits. */
export const softmaxCrossEntropy: typeof Native.softmaxCrossEntropy = (logits, targets) => ({
  losses: tf.neg(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)),
  gradient: tf.sub(softmax(logits), targets),
});

/** Uniform numbers in [0, 1) of 23 random bits (Uint32ToFloat of TensorFlow's random_distributions.h). */
const uniform = (bits: number): number => (bits & 0x7fffff) / 2 ** 23;

/** Standard normal random values, those of TensorFlow's StatelessRandomNormal. */
export const statelessNormal: typeof Native.statelessNormal = (shape, seed) => {
  const [low, high] = seed.dataSync() as Int32Array as unknown as [number, number];
  // The seed is mixed, so that similar seeds give different values (GenerateKey).
  const mixed = philox(4, [0x3ec8f720, 0x02461e29], [low, low >> 31, high, high >> 31]);
  const count = shape.reduce((product, size) => product * size, 1);
  const bits = philox(2 * Math.ceil(count / 2), [mixed[0]!, mixed[1]!], [0, 0, mixed[2]!, mixed[3]!]);
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i += 2) {
    const angle = 2 * Math.PI * uniform(bits[i + 1]!);
    const radius = Math.sqrt(-2 * Math.log(Math.max(uniform(bits[i]!), 1e-7)));
    values[i] = radius * Math.sin(angle);
    values[i + 1] = radius * Math.cos(angle);
  }
  return tf.tensor(values.subarray(0, count), shape);
};

/** A dropout mask, the same as that of TensorFlow's kernels. */
export const statelessKeep: typeof Native.statelessKeep = (shape, rate, seed) => {
  const [key, counter] = seed.dataSync() as Int32Array as unknown as [number, number];
  const count = shape.reduce((product, size) => product * size, 1);
  const random = philox(Math.ceil(count / 2), [key, key >> 31], [0, 0, counter, counter >> 31]);
  const halves = new Int16Array(random.buffer, 0, count);
  const threshold = Math.round(rate * 65536) - 32768;
  const keep = new Uint8Array(count);
  for (let i = 0; i < count; i++) keep[i] = halves[i]! >= threshold ? 1 : 0;
  return tf.tensor(keep, shape, 'bool');
};
