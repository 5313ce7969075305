/**
 * The project's own kernels (native/), which setup compiles into the addon. Each does in one pass over memory what
 * requires up to thirty passes with TensorFlow's kernels. On a CPU with fast matrix products, these passes cost more
 * than the arithmetic. On a GPU, and if setup could not compile the kernels, the same layers are composed of
 * TensorFlow's kernels.
 *
 * The addon contains the inner loops at several instruction-set levels and uses the best one that the processor
 * supports. The environment variable TUNEBOOK_KERNEL_LEVEL selects another level, or `none`.
 *
 * T is float32 or bfloat16, the type of values between two matrix products. The arithmetic is float32.
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
 * The instruction-set levels of the addon's kernels: the selected one, and those that this processor supports, best
 * first.
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

/** Selects the level; undefined on a GPU, without kernels for this processor, and if `none` is requested. */
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

/** The instruction-set level of the kernels, such as x86-64-v4; undefined if the kernels cannot be used. */
export const kernelLevel = selectLevel();

/** Whether these kernels can be used. */
export const hasFusedKernels = kernelLevel !== undefined;

/**
 * GELU of x + bias: [n, width] of T, [width] -> [n, width] of T.
 * @param tanh the approximation with tanh instead of the exact GELU
 */
export const fusedGelu = (x: Tensor, bias: Tensor, tanh: boolean): Tensor =>
  executeOne('TunebookGelu', [typeOf(x), boolAttribute('tanh', tanh)], [x, bias]);

/**
 * Gradient of `fusedGelu`.
 * @returns the gradients by x and by bias
 */
export const fusedGeluGradient = (dy: Tensor, x: Tensor, bias: Tensor, tanh: boolean): [Tensor, Tensor] =>
  execute('TunebookGeluGrad', [typeOf(x), boolAttribute('tanh', tanh)], [dy, x, bias], 2) as [Tensor, Tensor];

/** GELU(a) * b, where a and b are the halves of each row: [n, 2 width] of T -> [n, width] of T. */
export const fusedGatedGelu = (x: Tensor): Tensor => executeOne('TunebookGatedGelu', [typeOf(x)], [x]);

/** Gradient of `fusedGatedGelu`. */
export const fusedGatedGeluGradient = (dy: Tensor, x: Tensor): Tensor =>
  executeOne('TunebookGatedGeluGrad', [typeOf(x)], [dy, x]);

/**
 * Layer norm: [n, width], parameters [width].
 * @returns y, [n, width], and mean and 1 / standard deviation of each row, [n, 2]
 */
export const fusedLayerNorm = (x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): [Tensor, Tensor] =>
  execute('TunebookLayerNorm', [floatAttribute('epsilon', epsilon)], [x, scale, shift], 2) as [Tensor, Tensor];

/**
 * Gradient of `fusedLayerNorm`.
 * @returns the gradients by x, scale and shift
 */
export const fusedLayerNormGradient = (dy: Tensor, x: Tensor, statistics: Tensor, scale: Tensor): Tensor[] =>
  execute('TunebookLayerNormGrad', [], [dy, x, statistics, scale], 3);

/** Dropout with a seed ([2], int32). Its gradient is the same function of the incoming gradient. */
export const fusedDropout = (x: Tensor, rate: number, seed: Tensor1D): Tensor =>
  executeOne('TunebookDropout', [floatAttribute('rate', rate)], [x, seed]);

/**
 * Layer norm of a + dropout(b + bias): `a` [n, width], `b` [n, width] of T, parameters [width].
 * @returns y and the sum, [n, width], and mean and 1 / standard deviation of each row, [n, 2]
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
 * Gradient of `fusedResidualLayerNorm`.
 * @param type type of `b`, see typeAttributeOf
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

/** How scores of attention are computed, see `fusedAttention`. */
export interface ScoreOptions {
  heads: number;
  /** Dropout rate of the attention weights. */
  rate: number;
  /** Factor of the scores. */
  scale: number;
  /** Maximum distance of tokens that attend to each other; -1 for all. */
  window: number;
}

/** Tensors by which attention depends on positions. @default none */
export interface PositionInputs {
  /** Cosines, then sines, of the angles by which each token's queries and keys are rotated: [tokens, width]. */
  rotation?: Tensor | undefined;
  /** The rows of the tables by distance, key - query, from 1 - positions: [2 positions - 1], int32. */
  buckets?: Tensor | undefined;
  /** Added to the scores of each head: [buckets, heads]. */
  bias?: Tensor | undefined;
  /** Queries and keys of distances, [buckets, dim] each; both or neither. */
  query?: Tensor | undefined;
  key?: Tensor | undefined;
}

/** Queries, keys and values of packed texts, see `fusedAttention`. */
export interface AttentionInputs {
  /** [queries, dim], [tokens, dim] and [tokens, dim] of T: products without bias. */
  projections: [Tensor, Tensor, Tensor];
  /** [dim] each. */
  biases: [Tensor, Tensor, Tensor];
  /** The first query of each text, and the number of queries; [batch + 1], int32. */
  queryOffsets: Tensor;
  /** The first token of each text, and the number of tokens; [batch + 1], int32. */
  offsets: Tensor;
  seed: Tensor;
  positions: PositionInputs;
}

function attentionArguments(inputs: AttentionInputs): Tensor[] {
  const { projections, biases, queryOffsets, offsets, seed, positions } = inputs;
  const { rotation, buckets, bias, query, key } = positions;
  const table = (tensor: Tensor | undefined) => tensor ?? tf.zeros([0, 0]);
  return [
    ...projections,
    ...biases,
    queryOffsets,
    offsets,
    seed,
    table(rotation),
    buckets ?? tf.zeros([0], 'int32'),
    table(bias),
    table(query),
    table(key),
  ];
}

const scoreAttributes = ({ heads, rate, scale, window }: ScoreOptions) => [
  intAttribute('heads', heads),
  floatAttribute('rate', rate),
  floatAttribute('scale', scale),
  intAttribute('window', window),
];

/**
 * Multi-head attention of packed texts: dropout(softmax(scores)) · value for each text and head, where the scores are
 * query · keyᵀ · scale and what depends on positions. Rows after the last text are 0.
 * @returns the context, [queries, dim] of T, and the logarithm of each row's sum of exp(scores), [queries, heads]
 */
export const fusedAttention = (inputs: AttentionInputs, options: ScoreOptions): [Tensor, Tensor] =>
  execute(
    'TunebookAttention',
    [typeOf(inputs.projections[0]), ...scoreAttributes(options)],
    attentionArguments(inputs),
    2,
  ) as [Tensor, Tensor];

/**
 * Gradient of `fusedAttention`.
 * @param logSums result of `fusedAttention`
 * @returns the gradients by the projections, by the biases, and by the bias, queries and keys of distances
 */
export const fusedAttentionGradient = (
  dContext: Tensor,
  inputs: AttentionInputs,
  logSums: Tensor,
  options: ScoreOptions,
): Tensor[] =>
  execute(
    'TunebookAttentionGrad',
    [typeOf(dContext), ...scoreAttributes(options)],
    [...attentionArguments(inputs), dContext, logSums],
    9,
  );

/** The float32 sum of bfloat16 tensors. */
export const wideSum = (parts: Tensor[]): Tensor =>
  executeOne('TunebookWideSum', [intAttribute('N', parts.length)], parts);

/** The sum of squares of a tensor of T, a float32 scalar. */
export const fusedSquareSum = (x: Tensor): Tensor => executeOne('TunebookSquareSum', [typeOf(x)], [x]);

/**
 * Updates one parameter with AdamW, in place.
 * @param gradient tensor of T
 * @param scalars [8]: 0 to skip the update; learning rate; epsilon; factor of the parameter for weight decay; factors
 * of the old first moment and of the gradient; factors of the old second moment and of the squared gradient
 * @param decayed whether weight decay is applied
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
