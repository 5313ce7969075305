/**
 * The project's own kernels (native/), compiled into the addon by set-up. Each does in one pass over memory what takes
 * TensorFlow's kernels up to thirty: on a CPU those passes, not the arithmetic, are what is left to save once matrix products
 * are fast. On a GPU, and where set-up could not compile them, the same layers are composed of TensorFlow's kernels.
 *
 * The addon holds their inner loops at several instruction-set levels and takes the best that the processor supports. The
 * environment variable TUNEBOOK_KERNEL_LEVEL names another one, or `none`.
 *
 * T is float32 or bfloat16, the type of what stands between two matrix products; the arithmetic is float32's.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { TensorFlowLoadError } from '../errors.js';
import {
  backend,
  binding,
  boolAttribute,
  execute,
  executeOne,
  floatAttribute,
  intAttribute,
  tf,
  typeAttributeOf,
  typeOf,
} from './runtime.js';
import type { ResourceVariable } from './variables.js';

/**
 * The instruction-set levels of the addon's kernels: the selected one, and those that this processor supports, best first.
 * @returns undefined if the addon has no kernels
 * @throws TensorFlowLoadError if TUNEBOOK_KERNEL_LEVEL names a level that is not supported here
 */
export function kernelLevels(): { selected: string; supported: string[] } | undefined {
  try {
    return tf.tidy(() => {
      const [selected, supported] = execute('TunebookKernelLevels', [], [], 2).map((tensor) =>
        Array.from(tensor.dataSync<'string'>()),
      ) as [[string], string[]];
      return { selected: selected[0], supported };
    });
  } catch (error) {
    if (String(error).includes('not registered')) return undefined;
    throw error;
  }
}

/** The level that is used; undefined on a GPU, where the addon has no kernels for this processor, and if `none` is asked for. */
function selectLevel(): string | undefined {
  if (backend.isUsingGpuDevice) return undefined;
  const levels = kernelLevels();
  if (levels === undefined) return undefined;
  const wanted = process.env['TUNEBOOK_KERNEL_LEVEL'];
  if (wanted && wanted !== 'none' && !levels.supported.includes(wanted))
    throw new TensorFlowLoadError(
      'TENSORFLOW_KERNEL_LEVEL_UNSUPPORTED',
      `TUNEBOOK_KERNEL_LEVEL is '${wanted}'; this processor supports ${[...levels.supported, 'none'].join(', ')}.`,
      { level: wanted, supported: levels.supported },
    );
  return levels.selected || undefined;
}

/** The instruction-set level of the kernels, such as x86-64-v4; undefined if layers must be composed of TensorFlow's kernels. */
export const kernelLevel = selectLevel();

/** Whether these kernels can be used. */
export const hasFusedKernels = kernelLevel !== undefined;

/** The exact GELU of x + bias: [n, width] of T, [width] -> [n, width] of T. */
export const fusedGelu = (x: Tensor, bias: Tensor): Tensor => executeOne('TunebookGelu', [typeOf(x)], [x, bias]);

/** @returns the gradients by x and by bias */
export const fusedGeluGradient = (dy: Tensor, x: Tensor, bias: Tensor): [Tensor, Tensor] =>
  execute('TunebookGeluGrad', [typeOf(x)], [dy, x, bias], 2) as [Tensor, Tensor];

/** Dropout by a seed ([2], int32); its gradient is the same of the incoming gradient. */
export const fusedDropout = (x: Tensor, rate: number, seed: Tensor1D): Tensor =>
  executeOne('TunebookDropout', [floatAttribute('rate', rate)], [x, seed]);

/**
 * Layer norm of a + dropout(b + bias): a [n, width], b [n, width] of T, the others [width].
 * @returns y and the sum, [n, width], and each row's mean and 1 / deviation, [n, 2]
 */
export const fusedResidualLayerNorm = (
  a: Tensor,
  b: Tensor,
  bias: Tensor,
  scale: Tensor,
  shift: Tensor,
  epsilon: number,
  rate: number,
  seed: Tensor1D,
): Tensor[] =>
  execute(
    'TunebookResidualLayerNorm',
    [typeOf(b), floatAttribute('rate', rate), floatAttribute('epsilon', epsilon)],
    [a, b, bias, scale, shift, seed],
    3,
  );

/**
 * @param type b's, see typeAttributeOf
 * @returns the gradients by a, b, bias, scale and shift
 */
export const fusedResidualLayerNormGradient = (
  dy: Tensor,
  sum: Tensor,
  statistics: Tensor,
  scale: Tensor,
  rate: number,
  seed: Tensor,
  type: number,
): Tensor[] =>
  execute(
    'TunebookResidualLayerNormGrad',
    [typeAttributeOf(type), floatAttribute('rate', rate)],
    [dy, sum, statistics, scale, seed],
    5,
  );

/**
 * softmax(factor · scores) of each row, padding left out, before and after dropout.
 * @param scores [batch, heads, asking tokens, tokens] of T
 * @param lengths [batch], int32: how many tokens of each text are no padding
 */
export const fusedAttentionWeights = (
  scores: Tensor,
  lengths: Tensor,
  factor: number,
  rate: number,
  seed: Tensor1D,
): [Tensor, Tensor] =>
  execute(
    'TunebookAttentionWeights',
    [typeOf(scores), floatAttribute('rate', rate), floatAttribute('scale', factor)],
    [scores, lengths, seed],
    2,
  ) as [Tensor, Tensor];

/** @returns the gradient by scores */
export const fusedAttentionWeightsGradient = (
  dUsed: Tensor,
  weights: Tensor,
  factor: number,
  rate: number,
  seed: Tensor,
): Tensor =>
  executeOne(
    'TunebookAttentionWeightsGrad',
    [typeOf(weights), floatAttribute('rate', rate), floatAttribute('scale', factor)],
    [dUsed, weights, seed],
  );

/** x + bias, cut into heads: [batch * tokens, heads * width] of T -> [batch, heads, tokens, width] of T. */
export const fusedSplitHeads = (x: Tensor, bias: Tensor, batch: number, heads: number): Tensor =>
  executeOne('TunebookSplitHeads', [typeOf(x), intAttribute('batch', batch), intAttribute('heads', heads)], [x, bias]);

/**
 * Heads put together again: [batch, heads, tokens, width] of T -> [batch * tokens, heads * width] of T.
 * @returns the sum over rows, too: [heads * width]
 */
export const fusedJoinHeads = (x: Tensor): [Tensor, Tensor] =>
  execute('TunebookJoinHeads', [typeOf(x)], [x], 2) as [Tensor, Tensor];

/** The sum of bfloat16 tensors as float32. */
export const wideSum = (parts: Tensor[]): Tensor =>
  executeOne('TunebookWideSum', [intAttribute('N', parts.length)], parts);

/** The sum of all squares of T, a float32 scalar. */
export const fusedSquareSum = (x: Tensor): Tensor => executeOne('TunebookSquareSum', [typeOf(x)], [x]);

/**
 * One parameter's AdamW update in place.
 * @param gradient of T
 * @param scalars [8]: 0 for no update at all, learning rate, epsilon, what decay leaves; how much of the average of the
 * gradient stays and how much of the new one comes in; the same for the average of its square
 * @param decayed false leaves decay out
 */
export function fusedAdamW(
  parameter: ResourceVariable,
  first: ResourceVariable,
  second: ResourceVariable,
  gradient: Tensor,
  scalars: Tensor,
  decayed: boolean,
): void {
  binding.executeOp(
    'TunebookAdamW',
    [typeOf(gradient), boolAttribute('decayed', decayed)],
    [parameter.handle, first.handle, second.handle, ...backend.getInputTensorIds([gradient, scalars])],
    0,
  );
}
