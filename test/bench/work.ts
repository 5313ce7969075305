// The workload of both sides: a model with random weights, with dropout in training, on token ids from a file that both sides
// read. `fixed` rows are text cut into chunks of 128 tokens, without padding, so that both sides process the same batches.
// `own` rows are reviews of their original lengths, which each side batches in its own way. `lengths` rows are chunks of
// several lengths, with the batches that both sides process.
import fs from 'node:fs';
import path from 'node:path';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { textCount, type EncodedBatch, type EncodedReviews } from '#lib/model/batch.js';
import type { EncoderConfig } from '#lib/model/config.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { embeddedModel, root } from '../checkout.js';

export type Rows = 'fixed' | 'own' | 'lengths';

/** Number of tokens of a `fixed` row. */
export const fixedTokens = 128;
/** Number of `own` rows. */
const ownRows = 640;

export const rowsFile = (rows: Rows): string => path.join(root, `.tunebook/bench/${rows}.json`);

/** Content of a file of rows. */
export interface RowsFile {
  /** Token ids of each row. */
  ids: number[][];
  /** Class numbers. */
  labels: number[];
  /** Row numbers of each batch; without them, a side forms batches. */
  batches?: number[][];
}

const writeRowsFile = (rows: Rows, content: RowsFile): void => {
  fs.mkdirSync(path.dirname(rowsFile(rows)), { recursive: true });
  fs.writeFileSync(rowsFile(rows), JSON.stringify(content));
};

const readReviews = async (file: string | undefined) => {
  const tokenizer = loadTokenizer(embeddedModel);
  const source = await (file
    ? openReviews(file, { textColumns: ['title', 'content'], labelColumn: 'label' })
    : openReviews('embedded'));
  return (await sampleReviews(source)).map(({ text, label }) => ({ ids: [...tokenizer.encode(text, 512)], label }));
};

/** Cuts text into chunks of some tokens, without padding. */
const chunksOf = (stream: number[], tokens: number): number[][] =>
  Array.from({ length: Math.floor(stream.length / tokens) }, (_, i) => stream.slice(i * tokens, (i + 1) * tokens));

const alternatingLabels = (rows: number[][]): number[] => rows.map((_, i) => i % 2);

/**
 * Writes the files of `fixed` and `own` rows.
 * @param file reviews (label, title, content); default: the embedded reviews, which are single sentences
 * @param count number of `own` rows
 * @returns a description of the reviews
 */
export async function writeRows(file: string | undefined, count = ownRows): Promise<string> {
  const reviews = await readReviews(file);
  const stream = reviews.flatMap(({ ids }) => ids);
  const chunks = chunksOf(stream, fixedTokens).slice(0, 640);
  const ownReviews = reviews.slice(0, count);
  writeRowsFile('fixed', { ids: chunks, labels: alternatingLabels(chunks) });
  writeRowsFile('own', { ids: ownReviews.map(({ ids }) => ids), labels: ownReviews.map(({ label }) => label) });
  const mean = ownReviews.reduce((sum, { ids }) => sum + ids.length, 0) / ownReviews.length;
  return `${ownReviews.length} ${file ? `reviews of ${path.basename(file)}` : 'embedded reviews'}, ${mean.toFixed(0)} tokens on average`;
}

/**
 * Writes the file of `lengths` rows: chunks of the embedded reviews. All batches have the same number of tokens; the lengths
 * take turns in the given order.
 * @param lengths numbers of tokens per row
 * @param batchTokens number of tokens per batch
 * @param warmUp number of batches before the first turn, of the first length
 * @param rounds number of batches of each length
 */
export async function writeLengthRows(
  lengths: number[],
  batchTokens: number,
  warmUp: number,
  rounds: number,
): Promise<void> {
  const stream = (await readReviews(undefined)).flatMap(({ ids }) => ids);
  const ids: number[][] = [];
  // All chunks are in the file, since Tunebook trains the word embeddings of all tokens in it.
  const batchesByLength = lengths.map((length) => {
    const first = ids.length;
    ids.push(...chunksOf(stream, length));
    const size = batchTokens / length;
    return Array.from({ length: rounds }, (_, round) =>
      Array.from({ length: size }, (_, row) => first + round * size + row),
    );
  });
  const rounded = Array.from({ length: rounds }, (_, round) => batchesByLength.map((batches) => batches[round]!));
  const batches = [...Array.from({ length: warmUp }, () => batchesByLength[0]![0]!), ...rounded.flat()];
  writeRowsFile('lengths', { ids, labels: alternatingLabels(ids), batches });
}

export function readRows(file: string): EncodedReviews & { batches?: number[][] } {
  const { ids, labels, ...rest } = JSON.parse(fs.readFileSync(file, 'utf8')) as RowsFile;
  return { ids: ids.map((row) => Int32Array.from(row)), labels: Int32Array.from(labels), ...rest };
}

/** The report of a side after each turn. */
export interface Turn {
  seconds: number;
  samples: number;
  /** Without padding. */
  tokens: number;
  /** Operations of this side's matrix products, also for padding. */
  operations: number;
  /** Peak resident memory of the process so far, in bytes. */
  peakBytes: number;
}

/**
 * Counts the multiplications and additions of an encoder's matrix products for a packed batch. The last layer computes
 * the token that the head reads only.
 * @param batch its texts
 * @param tokens number of tokens with padding
 * @param training counts the backward pass too
 * @param config sizes of the encoder
 */
export function packedOperations(
  batch: EncodedBatch,
  tokens: number,
  training: boolean,
  { dim, hidden_dim: hidden, n_layers: layers }: EncoderConfig,
): number {
  const texts = textCount(batch);
  const lengths = Array.from({ length: texts }, (_, row) => batch.offsets[row + 1]! - batch.offsets[row]!);
  // Keys and values; queries, output projection and feed-forward; attention scores and their weighted sum.
  const layer = (queries: number, pairs: number) =>
    2 * (tokens * 2 * dim ** 2 + queries * (2 * dim ** 2 + 2 * dim * hidden) + 2 * pairs * dim);
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  return (
    (training ? 3 : 1) *
    ((layers - 1) * layer(tokens, sum(lengths.map((length) => length ** 2))) + layer(texts, sum(lengths)))
  );
}
