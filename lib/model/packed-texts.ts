/**
 * Packed texts as tensors, the input of a forward pass. The number of tokens is rounded up with padding at the end, which
 * belongs to no text: attention does not read it, and its gradients are 0.
 */
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { capturesGraphs } from '../tensorflow/function.js';
import { tf } from '../tensorflow/runtime.js';
import type { EncodedBatch } from './batch.js';

/** Packed texts on the device, int32. */
export type PackedTexts = {
  /** Token ids, [tokens]. */
  ids: Tensor1D;
  /** Position of each token in its text, [tokens]. */
  positions: Tensor1D;
  /** The first token of each text, and the number of tokens without padding; [batch + 1]. */
  offsets: Tensor1D;
  /** The type of each token, 0 or 1, [tokens]. Only for pairs of texts and a model with token types. */
  types?: Tensor1D;
  /**
   * The index of each token of each text, and -1 after the last token of a text; [batch, longest]. Only for layers that pad
   * texts inside attention.
   */
  slots?: Tensor2D;
};

/** Divides the inputs of a graph into packed texts and all others. */
export function divideInputs<Others extends object>(
  inputs: PackedTexts & Others,
): { texts: PackedTexts; others: Others } {
  const { ids, positions, offsets, types, slots, ...others } = inputs;
  return {
    texts: { ids, positions, offsets, ...(types && { types }), ...(slots && { slots }) },
    others: others as unknown as Others,
  };
}

/**
 * Rounds a number of tokens up. Layers that compute any number of tokens with one graph round little, since the matrix
 * products prepare each new size once. Other layers need a graph per size: eight sizes within a factor of two.
 */
export function roundTokens(tokens: number, { anyShape }: { anyShape: boolean }): number {
  const multiple = anyShape ? 16 : Math.max(16, 2 ** (Math.floor(Math.log2(tokens)) - 3));
  return Math.ceil(tokens / multiple) * multiple;
}

/** Number of sizes of `roundTokens` within a factor of two, which contain nearly all batches of a data set. */
export const sizesOfBatches = 8;

/** The size of padded texts inside attention: the longest text, rounded up to a power of two, at least 32, for graphs. */
const roundLongest = (tokens: number): number =>
  capturesGraphs ? Math.max(32, 2 ** Math.ceil(Math.log2(tokens))) : tokens;

/**
 * Converts a batch to tensors. The caller disposes of them.
 * @param batch packed texts
 * @param layers the layers that compute them
 */
export function batchTensors(batch: EncodedBatch, layers: { anyShape: boolean }): PackedTexts {
  const { inputIds, offsets, pairStarts } = batch;
  const tokens = roundTokens(inputIds.length, layers);
  const padded = new Int32Array(tokens);
  padded.set(inputIds);
  const positions = new Int32Array(tokens);
  const types = pairStarts && new Int32Array(tokens);
  let longest = 0;
  for (let row = 1; row < offsets.length; row++) {
    const from = offsets[row - 1]!;
    const length = offsets[row]! - from;
    longest = Math.max(longest, length);
    for (let i = 0; i < length; i++) positions[from + i] = i;
    types?.fill(1, from + pairStarts![row - 1]!, from + length);
  }
  const tensors = {
    ids: tf.tensor1d(padded, 'int32'),
    positions: tf.tensor1d(positions, 'int32'),
    offsets: tf.tensor1d(offsets, 'int32'),
    ...(types && { types: tf.tensor1d(types, 'int32') }),
  };
  if (layers.anyShape) return tensors;
  const texts = offsets.length - 1;
  const columns = roundLongest(longest);
  const slots = new Int32Array(texts * columns).fill(-1);
  for (let row = 0; row < texts; row++)
    for (let i = offsets[row]!; i < offsets[row + 1]!; i++) slots[row * columns + i - offsets[row]!] = i;
  return { ...tensors, slots: tf.tensor2d(slots, [texts, columns], 'int32') };
}
