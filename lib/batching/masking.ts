/**
 * Hiding tokens, for a model to guess (Devlin et al., 2018, section 3.1, as transformers' DataCollatorForLanguageModeling does
 * it): of the tokens that are chosen, 80 % become [MASK], 10 % another token by chance, and 10 % stay, so that the model may
 * trust none. Chosen anew for each batch of each epoch.
 */
import { seededRandom } from '../reviews/random.js';
import type { MaskingVocabulary } from '../tokenizer/masking-vocabulary.js';
import { type EncodedBatch, everyNth } from '../model/batch.js';

/** A batch with hidden tokens, n of them to be guessed. */
export interface MaskedBatch extends EncodedBatch {
  /** Which tokens are to be guessed, as text * tokens + token; [n]. Filled up with 0, see `weights`. */
  positions: Int32Array;
  /** What they were, [n]. */
  targets: Int32Array;
  /** 1 for each that counts, 0 for what n is filled up with; [n]. */
  weights: Float32Array;
  /** How many count. */
  masked: number;
}

/** Which tokens are hidden. */
export interface MaskingOptions {
  /** Share of the tokens that are chosen. @default 0.15 */
  probability?: number;
  /** Chooses words, all of whose pieces are hidden, not single pieces. @default false */
  wholeWords?: boolean;
}

/**
 * What n is rounded up to: each n is a graph of its own. A little above what is expected of a batch of that shape, so that
 * nearly all of a shape have the same.
 */
function roomFor(masked: number, cells: number, probability: number): number {
  const expected = cells * probability;
  const usual = Math.ceil((expected + 3 * Math.sqrt(expected)) / 16) * 16;
  return masked <= usual ? usual : Math.ceil(masked / usual) * usual;
}

/**
 * Every n-th text of a batch with hidden tokens, see everyNth.
 * @returns nothing where there is no such text, or nothing to be guessed in them
 */
export function everyNthMasked(batch: MaskedBatch, first: number, n: number): MaskedBatch | undefined {
  const { positions, targets, weights, tokens } = batch;
  const part = everyNth(batch, first, n)?.part;
  const own = [...positions.keys()].filter((i) => weights[i] === 1 && Math.floor(positions[i]! / tokens) % n === first);
  if (!part || own.length === 0) return undefined;
  // As much room for all parts of all batches of a shape, unless there is more to guess in this one.
  const usual = Math.ceil(positions.length / n / 16) * 16;
  const room = Math.ceil(own.length / usual) * usual;
  const filled = <List extends Int32Array | Float32Array>(list: List, values: number[]): List => {
    list.set(values);
    return list;
  };
  return {
    ...part,
    positions: filled(
      new Int32Array(room),
      own.map((i) => {
        const row = Math.floor(positions[i]! / tokens);
        return ((row - first) / n) * tokens + (positions[i]! % tokens);
      }),
    ),
    targets: filled(
      new Int32Array(room),
      own.map((i) => targets[i]!),
    ),
    weights: filled(
      new Float32Array(room),
      own.map(() => 1),
    ),
    masked: own.length,
  };
}

/**
 * Hides tokens of a batch: of those that are chosen 80 % become the token that hides, 10 % another by chance, and 10 % stay.
 * @param batch is not changed
 * @param vocabulary of maskingVocabulary
 * @param options how many are chosen, and of what
 * @param seeds of chance: the same for the same
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
    let takesWord = false;
    let inWord = false;
    for (let i = row * batch.tokens; i < row * batch.tokens + batch.lengths[row]!; i++) {
      const id = batch.inputIds[i]!;
      if (special.has(id)) {
        inWord = false;
        continue;
      }
      // A piece that goes on with a word shares its fate.
      if (!(wholeWords && inWord && continues[id])) takesWord = random() < probability;
      inWord = true;
      if (takesWord) chosen.push(i);
    }
  }
  // Every batch has something to guess.
  if (chosen.length === 0) {
    const cells = [...batch.inputIds.keys()].filter(
      (i) => i % batch.tokens < batch.lengths[Math.floor(i / batch.tokens)]! && !special.has(batch.inputIds[i]!),
    );
    if (cells.length > 0) chosen.push(cells[Math.floor(random() * cells.length)]!);
  }
  const room = roomFor(chosen.length, batch.batch * batch.tokens, probability);
  const positions = new Int32Array(room);
  const targets = new Int32Array(room);
  const weights = new Float32Array(room);
  chosen.forEach((at, i) => {
    positions[i] = at;
    targets[i] = batch.inputIds[at]!;
    weights[i] = 1;
    const dice = random();
    if (dice < 0.8) inputIds[at] = mask;
    else if (dice < 0.9) inputIds[at] = Math.floor(random() * size);
  });
  const { lengths, tokens } = batch;
  return { inputIds, lengths, batch: batch.batch, tokens, positions, targets, weights, masked: chosen.length };
}
