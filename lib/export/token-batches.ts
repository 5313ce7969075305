/**
 * Batches for onnxruntime: texts of similar length, limited by tokens instead of texts, since the time of a batch depends on
 * its padded tokens.
 */

/**
 * Maximum padding of a batch in tokens; a text that would exceed it begins a new batch. A further call of the model costs as
 * much as about 10 tokens in float32 and 70 in 8 bits, measured on 2 cores.
 */
const maxPadding = 32;

/**
 * Divides texts into batches of similar length, longest first.
 * @param lengths number of tokens of each text
 * @param maxTokens maximum number of tokens of a batch, padding included; a text with more tokens is a batch of its own
 * @returns the indices of the texts of each batch
 */
export function tokenBatches(lengths: number[], maxTokens: number): number[][] {
  const order = lengths.map((_, index) => index).sort((a, b) => lengths[b]! - lengths[a]!);
  const batches: number[][] = [];
  let batch: number[] = [];
  let longest = 0;
  let padding = 0;
  for (const index of order) {
    padding += longest - lengths[index]!;
    if (batch.length === 0 || (batch.length + 1) * longest > maxTokens || padding > maxPadding) {
      batches.push((batch = []));
      longest = lengths[index]!;
      padding = 0;
    }
    batch.push(index);
  }
  return batches;
}

/**
 * Selects the first text and those of the nearest lengths that fit, as one batch of `tokenBatches`.
 * @param lengths number of tokens of each text, at least one
 * @param maxTokens as for `tokenBatches`
 * @returns the indices of the texts, the first one first
 */
export function batchOfFirst(lengths: number[], maxTokens: number): number[] {
  const first = lengths[0]!;
  const batch = [0];
  let longest = first;
  let tokens = first;
  const distance = (index: number) => Math.abs(lengths[index]! - first);
  const others = lengths.map((_, index) => index).slice(1);
  for (const index of others.sort((a, b) => distance(a) - distance(b))) {
    const length = lengths[index]!;
    const padded = (batch.length + 1) * Math.max(longest, length);
    if (padded > maxTokens || padded - tokens - length > maxPadding) continue;
    batch.push(index);
    longest = Math.max(longest, length);
    tokens += length;
  }
  return batch;
}
