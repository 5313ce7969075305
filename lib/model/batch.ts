/** Batches of token ids, the input of a model: padded to the longest text of each batch. `batching` makes those of training. */

/** Padded texts as a model takes them. */
export interface EncodedBatch {
  /** Token ids, [batch * tokens], row by row. */
  inputIds: Int32Array;
  /** How many tokens of each text are no padding, which stands behind them; [batch]. */
  lengths: Int32Array;
  /** Texts. */
  batch: number;
  /** Tokens of each text, padding included. */
  tokens: number;
}

/** Padded texts with their classes, as training takes them. */
export interface LabelledBatch extends EncodedBatch {
  /** Class numbers, [batch]. */
  labels: Int32Array;
}

/** Tokenized texts with their classes, of any lengths; of `encodeReviews`. */
export interface EncodedReviews {
  /** A text's token ids, [CLS] and [SEP] included. */
  ids: Int32Array[];
  /** Class numbers. */
  labels: Int32Array;
}

/** A batch that remembers which rows it holds. */
export interface IndexedBatch extends LabelledBatch {
  /** Row numbers among the reviews that the batch was made of; [batch]. */
  indices: number[];
}

/**
 * What lengths of batches are rounded up to: every new shape costs the capture of a graph, and padding costs work. Up to
 * 128 tokens multiples of 8 were measured to be best, a little before those of 16 and well before those of 32 or none;
 * longer batches bear more, and 32 shapes reach 512 tokens.
 */
const padToMultipleOf = (tokens: number) => (tokens <= 128 ? 8 : tokens <= 256 ? 16 : 32);

/**
 * How many lengths batches of texts may be padded to.
 * @param longest tokens of the longest text
 */
export function paddedLengths(longest: number): number {
  let lengths = 0;
  for (let tokens = 0; tokens < longest; tokens += padToMultipleOf(tokens + 1)) lengths++;
  return lengths;
}

/**
 * Rows padded to the longest among them, rounded up to a multiple of 8 tokens, of 16 above 128 and of 32 above 256.
 * @param reviews which the rows are of
 * @param indices numbers of the rows, one at least
 * @param maxTokens what a model can take at most; default: no limit
 */
export function padBatch({ ids, labels }: EncodedReviews, indices: number[], maxTokens = Infinity): IndexedBatch {
  const batch = indices.length;
  const longest = Math.max(...indices.map((index) => ids[index]!.length));
  const multiple = padToMultipleOf(longest);
  const rounded = Math.ceil(longest / multiple) * multiple;
  const tokens = Math.max(longest, Math.min(rounded, maxTokens));
  // Padding is token 0; what it is does not matter, since nothing attends to it.
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
 * Every n-th row of a batch, padded as the batch is.
 * @param batch is not changed
 * @param first the first of them
 * @param n how many rows there are from one to the next
 * @returns those rows, and their numbers in the batch; nothing where there are none
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

/** Divides a list into parts of a size; the last one may be smaller. */
export const chunk = <Item>(list: Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));

/** All rows once, longest first; `indices` says where each belongs. */
export function evaluationBatches(reviews: EncodedReviews, batchSize: number, maxTokens?: number): IndexedBatch[] {
  const order = reviews.ids.map((_, index) => index).sort((a, b) => reviews.ids[b]!.length - reviews.ids[a]!.length);
  return chunk(order, batchSize).map((indices) => padBatch(reviews, indices, maxTokens));
}
