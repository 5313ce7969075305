/**
 * Batches of token ids, the input of a model. The texts of a batch are packed: one follows another, without padding, and
 * offsets say where each of them starts. Reviews have a mean length of 104 tokens and are up to 512 tokens long; padded to
 * the longest text of a batch, more than half of the computation would be spent on padding.
 */
import { ArgumentError } from '../errors.js';
import type { ProblemType } from '../settings/problem-type.js';

/** Packed texts, the input of a model. */
export interface EncodedBatch {
  /** Token ids of all texts, [tokens]. */
  inputIds: Int32Array;
  /** The index of the first token of each text, and the number of tokens (`cu_seqlens` in flash-attn); [batch + 1]. */
  offsets: Int32Array;
  /** For pairs of texts and a model with token types: the index in each text of the first token of type 1; [batch]. */
  pairStarts?: Int32Array;
}

/** Class numbers; the numbers of a regression; or for multi-label classification a 0 or 1 for each class, row by row. */
export type Labels = Int32Array | Float32Array;

/** @param problemType which of these the numbers are */
export const labelsOf = (labels: Iterable<number>, problemType: ProblemType): Labels =>
  problemType === 'single_label_classification' ? Int32Array.from(labels) : Float32Array.from(labels);

/** Packed texts with their classes, the input of training. */
export interface LabeledBatch extends EncodedBatch {
  /** Class numbers; for regression the numbers to predict; [batch]. For multi-label classification 0 or 1, [batch * classes]. */
  labels: Labels;
  /** Logits of the teacher for distillation, [batch * classes], row by row. @default none */
  teacherLogits?: Float32Array;
}

/** Tokenized texts of any length with their classes. */
export interface EncodedReviews {
  /** Token ids of each text, [CLS] and [SEP] included. */
  ids: Int32Array[];
  /** Class numbers; for regression the numbers to predict; [n]. For multi-label classification 0 or 1, [n * classes], row by row. */
  labels: Labels;
  /** For pairs of texts and a model with token types: the index in each text of the first token of type 1; [n]. */
  pairStarts?: Int32Array;
  /** Logits of a teacher for distillation, [n * classes], row by row: those of `evaluate`. @default none */
  teacherLogits?: Float32Array;
}

/** A batch with the row numbers of its texts. */
export interface IndexedBatch extends LabeledBatch {
  /** Row numbers in the reviews from which the batch was created; [batch]. */
  indices: number[];
}

/** Number of texts of a batch. */
export const textCount = ({ offsets }: EncodedBatch): number => offsets.length - 1;

/**
 * Packs token ids, one text after another.
 * @param pairStarts see EncodedBatch
 */
export function packTexts(texts: Int32Array[], pairStarts?: Int32Array): EncodedBatch {
  const offsets = new Int32Array(texts.length + 1);
  texts.forEach(({ length }, row) => (offsets[row + 1] = offsets[row]! + length));
  const inputIds = new Int32Array(offsets.at(-1)!);
  texts.forEach((ids, row) => inputIds.set(ids, offsets[row]));
  return { inputIds, offsets, ...(pairStarts && { pairStarts }) };
}

/**
 * Packs rows into a batch.
 * @param reviews source of the rows
 * @param indices row numbers, at least one
 * @param maxTokens maximum sequence length of the model. @default no limit
 * @throws ArgumentError for a text that is longer than the model accepts
 */
export function packBatch(
  { ids, pairStarts, ...rows }: EncodedReviews,
  indices: number[],
  maxTokens = Infinity,
): IndexedBatch {
  const texts = indices.map((index) => ids[index]!);
  const longest = texts.reduce((max, { length }) => Math.max(max, length), 0);
  if (longest > maxTokens)
    throw new ArgumentError(
      'ARGUMENT_TEXT_TOO_LONG',
      `A text has ${longest} tokens; the model accepts at most ${maxTokens}. Tokenize texts with model.encode, which truncates them.`,
      { tokens: longest, maxTokens },
    );
  return {
    ...packTexts(texts, selectNumbers(pairStarts, indices)),
    ...selectTargets(rows, indices, ids.length),
    indices,
  };
}

/** The numbers of some rows; undefined if there are none. */
const selectNumbers = (numbers: Int32Array | undefined, rows: number[]): Int32Array | undefined =>
  numbers && Int32Array.from(rows, (row) => numbers[row]!);

/** What rows are trained with: their classes, and the teacher's logits. */
type Targets = Pick<LabeledBatch, 'labels' | 'teacherLogits'>;

/** The numbers of some rows of `count`, each of which has the same number of them. */
function selectRows<Numbers extends Labels>(numbers: Numbers, rows: number[], count: number): Numbers {
  const width = numbers.length / count;
  const selected = numbers.slice(0, rows.length * width) as Numbers;
  rows.forEach((row, i) => selected.set(numbers.subarray(row * width, (row + 1) * width), i * width));
  return selected;
}

/**
 * The targets of some rows.
 * @param count number of all rows
 */
export const selectTargets = ({ labels, teacherLogits }: Targets, rows: number[], count: number): Targets => ({
  labels: selectRows(labels, rows, count),
  ...(teacherLogits && { teacherLogits: selectRows(teacherLogits, rows, count) }),
});

/** The token ids of some texts of a batch, packed again. */
export const selectTexts = ({ inputIds, offsets, pairStarts }: EncodedBatch, rows: number[]): EncodedBatch =>
  packTexts(
    rows.map((row) => inputIds.subarray(offsets[row], offsets[row + 1])),
    selectNumbers(pairStarts, rows),
  );

/** Some rows of tokenized texts. */
export const selectReviews = ({ ids, pairStarts, ...rows }: EncodedReviews, chosen: number[]): EncodedReviews => {
  const starts = selectNumbers(pairStarts, chosen);
  return {
    ids: chosen.map((row) => ids[row]!),
    ...(starts && { pairStarts: starts }),
    ...selectTargets(rows, chosen, ids.length),
  };
};

/**
 * The part of a batch for one of several ranks. All parts have about the same number of tokens, and the same number of
 * texts or one less: the texts are dealt out by length, back and forth.
 * @param rank number of the part, from 0
 * @param n number of parts
 * @returns row numbers in the batch, in ascending order; empty if there are fewer texts than ranks
 */
export function rowsOfRank({ offsets }: EncodedBatch, rank: number, n: number): number[] {
  const length = (row: number) => offsets[row + 1]! - offsets[row]!;
  const rows = Array.from({ length: offsets.length - 1 }, (_, row) => row).sort((a, b) => length(b) - length(a));
  const rankOf = (turn: number) => (Math.floor(turn / n) % 2 === 0 ? turn % n : n - 1 - (turn % n));
  return rows.filter((_, turn) => rankOf(turn) === rank).sort((a, b) => a - b);
}

/** Splits a list into parts of a given size; the last one may be smaller. */
export const chunk = <Item>(list: Item[], size: number): Item[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));

/** Batches of all rows in their order. */
export const evaluationBatches = (reviews: EncodedReviews, batchSize: number, maxTokens?: number): IndexedBatch[] =>
  chunk([...reviews.ids.keys()], batchSize).map((indices) => packBatch(reviews, indices, maxTokens));
