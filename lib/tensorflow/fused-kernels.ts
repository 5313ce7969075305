/**
 * The project's own kernels (native/*.cc), compiled into the addon by set-up for this machine's processor. Each does in
 * one pass over memory what takes TensorFlow's kernels up to thirty: on a processor those passes, not the arithmetic,
 * are what is left to save once matrix products are fast. They are for the CPU; on a GPU the same layers are composed of
 * TensorFlow's kernels.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { backend, binding, boolAttribute, execute, executeOne, type Attribute } from './runtime.js';
import type { ResourceVariable } from './variables.js';

/** Whether tensors live where these kernels run. */
export const fusedKernelsRun = !backend.isUsingGpuDevice;

const floatAttribute = (name: string, value: number): Attribute => ({ name, type: binding.TF_ATTR_FLOAT, value });
const intAttribute = (name: string, value: number): Attribute => ({ name, type: binding.TF_ATTR_INT, value });

/** The exact GELU of x + bias: [n, width], [width] -> [n, width]. */
export const fusedGelu = (x: Tensor, bias: Tensor): Tensor => executeOne('TunebookGelu', [], [x, bias]);

/** @returns the gradients by x and by bias */
export const fusedGeluGradient = (dy: Tensor, x: Tensor, bias: Tensor): Tensor[] =>
  execute('TunebookGeluGrad', [], [dy, x, bias], 2);

/** Dropout by a seed ([2], int32); its gradient is the same of the incoming gradient. */
export const fusedDropout = (x: Tensor, rate: number, seed: Tensor1D): Tensor =>
  executeOne('TunebookDropout', [floatAttribute('rate', rate)], [x, seed]);

/**
 * Layer norm of a + dropout(b + bias): a and b [n, width], the others [width].
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
    [floatAttribute('rate', rate), floatAttribute('epsilon', epsilon)],
    [a, b, bias, scale, shift, seed],
    3,
  );

/** @returns the gradients by a, b, bias, scale and shift */
export const fusedResidualLayerNormGradient = (
  dy: Tensor,
  sum: Tensor,
  statistics: Tensor,
  scale: Tensor,
  rate: number,
  seed: Tensor,
): Tensor[] =>
  execute('TunebookResidualLayerNormGrad', [floatAttribute('rate', rate)], [dy, sum, statistics, scale, seed], 5);

/**
 * softmax(factor · scores) of each row, padding left out, before and after dropout.
 * @param scores [batch, heads, asking tokens, tokens]
 * @param lengths [batch], int32: how many tokens of each text are no padding
 */
export const fusedAttentionWeights = (
  scores: Tensor,
  lengths: Tensor,
  factor: number,
  rate: number,
  seed: Tensor1D,
): Tensor[] =>
  execute(
    'TunebookAttentionWeights',
    [floatAttribute('rate', rate), floatAttribute('scale', factor)],
    [scores, lengths, seed],
    2,
  );

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
    [floatAttribute('rate', rate), floatAttribute('scale', factor)],
    [dUsed, weights, seed],
  );

/** x + bias, cut into heads: [batch * tokens, heads * width] -> [batch, heads, tokens, width]. */
export const fusedSplitHeads = (x: Tensor, bias: Tensor, batch: number, heads: number): Tensor =>
  executeOne('TunebookSplitHeads', [intAttribute('batch', batch), intAttribute('heads', heads)], [x, bias]);

/** @returns the gradients by x and by bias */
export const fusedSplitHeadsGradient = (dy: Tensor): Tensor[] => execute('TunebookSplitHeadsGrad', [], [dy], 2);

/**
 * One parameter's AdamW update in place: m += (g - m)(1 - beta1), v += (g² - v)(1 - beta2),
 * p = p · keep - rate · m / (√v + epsilon).
 * @param scalars [5]: rate, beta1, beta2, epsilon, keep
 * @param decayed false for keep = 1
 */
export function fusedAdamW(
  parameter: ResourceVariable,
  first: ResourceVariable,
  second: ResourceVariable,
  gradient: Tensor,
  scalars: Tensor1D,
  decayed: boolean,
): void {
  binding.executeOp(
    'TunebookAdamW',
    [boolAttribute('decayed', decayed)],
    [parameter.handle, first.handle, second.handle, ...backend.getInputTensorIds([gradient, scalars])],
    0,
  );
}
