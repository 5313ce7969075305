/**
 * Masking of tokens, which the model then predicts (Devlin et al., 2018, section 3.1; transformers'
 * DataCollatorForLanguageModeling). Of the chosen tokens, 80 % become [MASK], 10 % a random token, and 10 % stay
 * unchanged, so that the model cannot rely on any input token. Tokens are chosen anew for each batch of each epoch.
 */
import { seededRandom } from '../reviews/random.js';
import type { MaskingVocabulary } from '../tokenizer/masking-vocabulary.js';
import { type EncodedBatch, selectTexts } from '../model/batch.js';

/** A batch with masked tokens. */
export interface MaskedBatch extends EncodedBatch {
  /** Indices of the tokens to predict, in `inputIds`; [n]. */
  positions: Int32Array;
  /** Original ids of these tokens, [n]. */
  targets: Int32Array;
}

/** Options of masking. */
export interface MaskingOptions {
  /** Fraction of tokens to choose. @default 0.15 */
  probability?: number;
  /** Chooses whole words, with all their pieces, instead of single pieces. @default false */
  wholeWords?: boolean;
}

/**
 * Some texts of a masked batch.
 * @param rows row numbers in ascending order
 */
export function selectMasked(batch: MaskedBatch, rows: number[]): MaskedBatch {
  const { offsets, positions, targets } = batch;
  const part = selectTexts(batch, rows);
  const chosen = rows.flatMap((row, i) =>
    [...positions.keys()]
      .filter((at) => positions[at]! >= offsets[row]! && positions[at]! < offsets[row + 1]!)
      .map((at) => ({ position: positions[at]! - offsets[row]! + part.offsets[i]!, target: targets[at]! })),
  );
  return {
    ...part,
    positions: Int32Array.from(chosen, ({ position }) => position),
    targets: Int32Array.from(chosen, ({ target }) => target),
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
  const original = batch.inputIds;
  const chosen: number[] = [];
  let isChosen = false;
  let inWord = false;
  for (const [i, id] of original.entries()) {
    // Every text starts with a special token.
    if (special.has(id)) {
      inWord = false;
      continue;
    }
    // With `wholeWords`, the pieces of a word after the first are chosen with it.
    if (!(wholeWords && inWord && continues[id])) isChosen = random() < probability;
    inWord = true;
    if (isChosen) chosen.push(i);
  }
  if (chosen.length === 0) {
    const candidates = [...original.keys()].filter((i) => !special.has(original[i]!));
    if (candidates.length > 0) chosen.push(candidates[Math.floor(random() * candidates.length)]!);
  }
  const inputIds = original.slice();
  for (const position of chosen) {
    const draw = random();
    if (draw < 0.8) inputIds[position] = mask;
    else if (draw < 0.9) inputIds[position] = Math.floor(random() * size);
  }
  const { offsets, pairStarts } = batch;
  return {
    inputIds,
    offsets,
    ...(pairStarts && { pairStarts }),
    positions: Int32Array.from(chosen),
    targets: Int32Array.from(chosen, (position) => original[position]!),
  };
}
