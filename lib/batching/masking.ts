/**
 * Masking of tokens, which the model then predicts (Devlin et al., 2018, section 3.1; transformers'
 * DataCollatorForLanguageModeling). Of the chosen tokens, 80 % become [MASK], 10 % a random token, and 10 % stay
 * unchanged, so that the model cannot rely on any input token. Tokens are chosen anew for each batch of each epoch.
 */
import { seededRandom } from '../reviews/random.js';
import type { MaskingVocabulary } from '../tokenizer/masking-vocabulary.js';
import { type EncodedBatch, everyNth } from '../model/batch.js';

/** A batch with masked tokens. Its lists have n elements, of which the last ones may be padding. */
export interface MaskedBatch extends EncodedBatch {
  /** Positions of the tokens to predict, as text * tokens + token, padded with 0; [n]. */
  positions: Int32Array;
  /** Original ids of these tokens, [n]. */
  targets: Int32Array;
  /** 1 for a token to predict, 0 for padding; [n]. */
  weights: Float32Array;
  /** Number of tokens to predict. */
  masked: number;
}

/** Options of masking. */
export interface MaskingOptions {
  /** Fraction of tokens to choose. @default 0.15 */
  probability?: number;
  /** Chooses whole words, with all their pieces, instead of single pieces. @default false */
  wholeWords?: boolean;
}

/**
 * The padded number of tokens to predict. Each number needs a graph of its own, so it is somewhat above the
 * expected number for a batch shape: nearly all batches of a shape have the same one.
 */
function paddedCount(masked: number, tokens: number, probability: number): number {
  const expected = tokens * probability;
  const usual = Math.ceil((expected + 3 * Math.sqrt(expected)) / 16) * 16;
  return masked <= usual ? usual : Math.ceil(masked / usual) * usual;
}

/**
 * Every n-th text of a masked batch, see everyNth.
 * @returns undefined if there is no such text, or no token to predict in them
 */
export function everyNthMasked(batch: MaskedBatch, first: number, n: number): MaskedBatch | undefined {
  const { positions, targets, weights, tokens } = batch;
  const part = everyNth(batch, first, n)?.part;
  const selected = [...positions.keys()].filter(
    (i) => weights[i] === 1 && Math.floor(positions[i]! / tokens) % n === first,
  );
  if (!part || selected.length === 0) return undefined;
  // The same size for all parts of all batches of a shape, unless this one has more tokens to predict.
  const usual = Math.ceil(positions.length / n / 16) * 16;
  const padded = Math.ceil(selected.length / usual) * usual;
  const filled = <List extends Int32Array | Float32Array>(list: List, values: number[]): List => {
    list.set(values);
    return list;
  };
  return {
    ...part,
    positions: filled(
      new Int32Array(padded),
      selected.map((i) => {
        const row = Math.floor(positions[i]! / tokens);
        return ((row - first) / n) * tokens + (positions[i]! % tokens);
      }),
    ),
    targets: filled(
      new Int32Array(padded),
      selected.map((i) => targets[i]!),
    ),
    weights: filled(
      new Float32Array(padded),
      selected.map(() => 1),
    ),
    masked: selected.length,
  };
}

/**
 * Masks tokens of a batch: of the chosen tokens 80 % become [MASK], 10 % a random token, and 10 % stay unchanged. Every
 * batch has at least one chosen token.
 * @param batch is not changed
 * @param vocabulary `vocabulary` of a MaskedLM
 * @param options which tokens are chosen
 * @param seeds the same seeds give the same masks
 * @example
 * const masked = maskBatch(batch, maskedModel.vocabulary, { probability: 0.15 }, settings.seed);
 */
export function maskBatch(
  batch: EncodedBatch,
  { size, mask, special, continues }: MaskingVocabulary,
  { probability = 0.15, wholeWords = false }: MaskingOptions,
  ...seeds: number[]
): MaskedBatch {
  const random = seededRandom(...seeds);
  const inputIds = batch.inputIds.slice();
  const chosen: number[] = [];
  for (let row = 0; row < batch.batch; row++) {
    let isChosen = false;
    let inWord = false;
    for (let i = row * batch.tokens; i < row * batch.tokens + batch.lengths[row]!; i++) {
      const id = batch.inputIds[i]!;
      if (special.has(id)) {
        inWord = false;
        continue;
      }
      // With `wholeWords`, the pieces of a word after the first are chosen with it.
      if (!(wholeWords && inWord && continues[id])) isChosen = random() < probability;
      inWord = true;
      if (isChosen) chosen.push(i);
    }
  }
  if (chosen.length === 0) {
    const candidates = [...batch.inputIds.keys()].filter(
      (i) => i % batch.tokens < batch.lengths[Math.floor(i / batch.tokens)]! && !special.has(batch.inputIds[i]!),
    );
    if (candidates.length > 0) chosen.push(candidates[Math.floor(random() * candidates.length)]!);
  }
  const padded = paddedCount(chosen.length, batch.batch * batch.tokens, probability);
  const positions = new Int32Array(padded);
  const targets = new Int32Array(padded);
  const weights = new Float32Array(padded);
  chosen.forEach((position, i) => {
    positions[i] = position;
    targets[i] = batch.inputIds[position]!;
    weights[i] = 1;
    const draw = random();
    if (draw < 0.8) inputIds[position] = mask;
    else if (draw < 0.9) inputIds[position] = Math.floor(random() * size);
  });
  const { lengths, tokens } = batch;
  return { inputIds, lengths, batch: batch.batch, tokens, positions, targets, weights, masked: chosen.length };
}
