/**
 * TensorFlow kernels that tfjs either lacks or reaches by a detour, as functions over tensors. None has a gradient of
 * its own: they are what gradients are written with (tf.customGrad).
 */
import type { Rank, Tensor, Tensor1D } from '@tensorflow/tfjs';
import type { Precision } from './precision.js';
import { backend, binding, boolAttribute, execute, executeOne, tf, typeAttribute } from './runtime.js';
import type { ResourceVariable } from './variables.js';

const float = typeAttribute('float32');

// TensorFlow's numbers (types.proto) of types that tfjs does not know.
const int16 = 5;
const bfloat16 = 14;

const typeNumber = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });

function cast(id: number, from: number, to: number): number {
  const [result] = binding.executeOp('Cast', [typeNumber('SrcT', from), typeNumber('DstT', to)], [id], 1);
  return result!.id;
}

/**
 * Product of two matrices, either transposed inside the kernel at no cost: [m, k] x [k, n] -> [m, n].
 * @param precision of the factors and of the result; what comes in and goes out is float32 all the same
 */
export function matMul(
  a: Tensor,
  b: Tensor,
  transposeA = false,
  transposeB = false,
  precision: Precision = 'float32',
): Tensor {
  const transposes = [boolAttribute('transpose_a', transposeA), boolAttribute('transpose_b', transposeB)];
  if (precision === 'float32') return executeOne('MatMul', [float, ...transposes], [a, b]);
  const factors = backend.getInputTensorIds([a, b]).map((id) => cast(id, binding.TF_FLOAT, bfloat16));
  const [rounded] = binding.executeOp('MatMul', [typeNumber('T', bfloat16), ...transposes], factors, 1);
  const id = cast(rounded!.id, bfloat16, binding.TF_FLOAT);
  for (const done of [...factors, rounded!.id]) binding.deleteTensor(done);
  return backend.createOutputTensor({ ...rounded!, id, dtype: binding.TF_FLOAT });
}

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
 * True with probability 1 - rate (to 1/65,536), depending on the seed alone ([2], int32). tf.randomUniform draws in a
 * JavaScript loop, and a float32 is more chance than a yes or no needs: 16 bits decide, so each draw serves two, and the
 * comparison works on half the bytes.
 */
export function statelessKeep(shape: number[], rate: number, seed: Tensor1D): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const draws = Math.ceil(count / 2);
  return tf.tidy(() => {
    const inputs = (...tensors: Tensor[]) => backend.getInputTensorIds(tensors);
    const random = statelessInteger(tf.tensor1d([draws], 'int32'), seed); // [draws], int32
    const halves = binding.executeOp(
      'Bitcast',
      [typeAttribute('int32'), typeNumber('type', int16)],
      inputs(random),
      1,
    )[0]!; // [draws, 2], int16
    const least = binding.executeOp(
      'Cast',
      [typeAttribute('int32', 'SrcT'), typeNumber('DstT', int16)],
      inputs(tf.scalar(Math.round(rate * 65536) - 32768, 'int32')),
      1,
    )[0]!;
    const [kept] = binding.executeOp('GreaterEqual', [typeNumber('T', int16)], [halves.id, least.id], 1);
    binding.deleteTensor(halves.id);
    binding.deleteTensor(least.id);
    const flat = tf.reshape<Rank.R1>(backend.createOutputTensor(kept!), [2 * draws]);
    return tf.reshape(count % 2 ? tf.slice(flat, 0, count) : flat, shape);
  });
}

const statelessInteger = (shape: Tensor1D, seed: Tensor1D): Tensor =>
  executeOne(
    'StatelessRandomUniformFullInt',
    [typeAttribute('int32', 'dtype'), typeAttribute('int32'), typeAttribute('int32', 'Tseed')],
    [shape, seed],
  );
