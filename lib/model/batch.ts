/** Batches of token ids, padded to the longest text: the input of a model. `batching` creates training batches. */
import { ArgumentError } from '../errors.js';

/** Padded texts, the input of a model. */
export interface EncodedBatch {
  /** Token ids, [batch * tokens], row by row. */
  inputIds: Int32Array;
  /** Number of tokens of each text without padding, which follows them; [batch]. */
  lengths: Int32Array;
  /** Number of texts. */
  batch: number;
  /** Number of tokens of each text, padding included. */
  tokens: number;
}

/** Padded texts with their classes, the input of training. */
export interface LabeledBatch extends EncodedBatch {
  /** Class numbers, [batch]. */
  labels: Int32Array;
}

/** Tokenized texts of any length with their classes. */
export interface EncodedReviews {
  /** Token ids of each text, [CLS] and [SEP] included. */
  ids: Int32Array[];
  /** Class numbers. */
  labels: Int32Array;
}

/** A batch with the row numbers of its texts. */
export interface IndexedBatch extends LabeledBatch {
  /** Row numbers in the reviews from which the batch was created; [batch]. */
  indices: number[];
}

/**
 * The multiple of tokens to which the length of a batch is rounded up. Every new shape requires the capture of a graph,
 * and padding costs computation. Up to 128 tokens, multiples of 8 were measured to be the fastest: slightly faster than
 * 16 and clearly faster than 32 or no rounding. Longer batches tolerate coarser rounding; 32 shapes cover 512 tokens.
 */
const padToMultipleOf = (tokens: number) => (tokens <= 128 ? 8 : tokens <= 256 ? 16 : 32);

/**
 * Number of different lengths to which batches can be padded.
 * @param longest length of the longest text in tokens
 */
export function paddedLengths(longest: number): number {
  let lengths = 0;
  for (let tokens = 0; tokens < longest; tokens += padToMultipleOf(tokens + 1)) lengths++;
  return lengths;
}

/**
 * Pads rows to the longest of them, rounded up to a multiple of 8 tokens; of 16 above 128 tokens and of 32 above 256.
 * @param reviews source of the rows
 * @param indices row numbers, at least one
 * @param maxTokens maximum sequence length of the model. @default no limit
 * @throws ArgumentError for a text that is longer than the model accepts
 */
export function padBatch({ ids, labels }: EncodedReviews, indices: number[], maxTokens = Infinity): IndexedBatch {
  const batch = indices.length;
  const longest = Math.max(...indices.map((index) => ids[index]!.length));
  if (longest > maxTokens)
    throw new ArgumentError(
      'ARGUMENT_TEXT_TOO_LONG',
      `A text has ${longest} tokens; the model accepts at most ${maxTokens}. Tokenize texts with model.encode, which truncates them.`,
      { tokens: longest, maxTokens },
    );
  const multiple = padToMultipleOf(longest);
  const rounded = Math.ceil(longest / multiple) * multiple;
  const tokens = Math.max(longest, Math.min(rounded, maxTokens));
  // Padding is token 0. Any id would do, since padding is excluded from attention.
  const inputIds = new Int32Array(batch * tokens);
  indices.forEach((index, row) => inputIds.set(ids[index]!, row * tokens));
  return {
    inputIds,
    lengths: Int32Array.from(indices, (index) => ids[index]!.length),
    labels: Int32Array.from(indices, (index) => labels[index]!),
    batch,
    tokens,
    indices,
  };
}

/**
 * Selects every n-th row of a batch, with the same padding.
 * @param batch is not changed
 * @param first number of the first row
 * @param n distance between rows
 * @returns the rows and their numbers in the batch; undefined if there are none
 */
export function everyNth(
  batch: EncodedBatch,
  first: number,
  n: number,
): { part: EncodedBatch; rows: number[] } | undefined {
  const { inputIds, lengths, tokens } = batch;
  const rows = Array.from({ length: Math.max(0, Math.ceil((batch.batch - first) / n)) }, (_, i) => first + i * n);
  if (rows.length === 0) return undefined;
  const ids = new Int32Array(rows.length * tokens);
  rows.forEach((row, i) => ids.set(inputIds.subarray(row * tokens, (row + 1) * tokens), i * tokens));
  return {
    part: { inputIds: ids, lengths: Int32Array.from(rows, (row) => lengths[row]!), batch: rows.length, tokens },
    rows,
  };
}

/** Splits a list into parts of a given size; the last one may be smaller. */
export const chunk = <Item>(list: Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));

/** Batches of all rows, longest first; `indices` contains the original row numbers. */
export function evaluationBatches(reviews: EncodedReviews, batchSize: number, maxTokens?: number): IndexedBatch[] {
  const order = reviews.ids.map((_, index) => index).sort((a, b) => reviews.ids[b]!.length - reviews.ids[a]!.length);
  return chunk(order, batchSize).map((indices) => padBatch(reviews, indices, maxTokens));
}
