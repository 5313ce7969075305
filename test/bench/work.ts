// The workload of both sides: a model of DistilBERT-base's size with random weights, with dropout in training, on token ids
// from a file that both sides read. `fixed` rows are text cut into chunks of 128 tokens, without padding, so that both sides
// process the same batches. `own` rows are reviews of their original lengths, which each side batches in its own way.
import fs from 'node:fs';
import path from 'node:path';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { textCount, type EncodedBatch, type EncodedReviews } from '#lib/model/batch.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { embeddedModel, root } from '../checkout.js';

export type Rows = 'fixed' | 'own';

/** Number of tokens of a `fixed` row. */
export const fixedTokens = 128;
/** Number of `own` rows. */
const ownRows = 640;

export const rowsFile = (rows: Rows): string => path.join(root, `.tunebook/bench/${rows}.json`);

/**
 * Writes the files of both kinds of rows.
 * @param file reviews (label, title, content); default: the embedded reviews, which are single sentences
 * @returns a description of the reviews
 */
export async function writeRows(file: string | undefined): Promise<string> {
  const tokenizer = loadTokenizer(embeddedModel);
  const source = await openReviews(file ?? 'embedded', { textColumns: ['title', 'content'], labelColumn: 'label' });
  const reviews = (await sampleReviews(source)).map(({ text, label }) => ({
    ids: [...tokenizer.encode(text, 512)],
    label,
  }));
  const stream = reviews.flatMap(({ ids }) => ids);
  const chunks = Array.from({ length: Math.min(640, Math.floor(stream.length / fixedTokens)) }, (_, i) =>
    stream.slice(i * fixedTokens, (i + 1) * fixedTokens),
  );
  const ownReviews = reviews.slice(0, ownRows);
  fs.mkdirSync(path.dirname(rowsFile('own')), { recursive: true });
  for (const [rows, content] of [
    ['fixed', { ids: chunks, labels: chunks.map((_, i) => i % 2) }],
    ['own', { ids: ownReviews.map(({ ids }) => ids), labels: ownReviews.map(({ label }) => label) }],
  ] as const)
    fs.writeFileSync(rowsFile(rows), JSON.stringify(content));
  const mean = ownReviews.reduce((sum, { ids }) => sum + ids.length, 0) / ownReviews.length;
  return `${ownReviews.length} ${file ? `reviews of ${path.basename(file)}` : 'embedded reviews'}, ${mean.toFixed(0)} tokens on average`;
}

export function readRows(rows: Rows): EncodedReviews {
  const { ids, labels } = JSON.parse(fs.readFileSync(rowsFile(rows), 'utf8')) as { ids: number[][]; labels: number[] };
  return { ids: ids.map((row) => Int32Array.from(row)), labels: Int32Array.from(labels) };
}

/** The report of a side after each turn. */
export interface Turn {
  seconds: number;
  samples: number;
  /** Without padding. */
  tokens: number;
  /** Operations of this side's matrix products. */
  operations: number;
  /** Peak resident memory of the process so far, in bytes. */
  peakBytes: number;
}

/**
 * Counts the multiplications and additions of DistilBERT-base's matrix products for a packed batch. The last layer computes
 * the token that the head reads only.
 * @param batch its texts
 * @param tokens number of tokens with padding
 */
export function packedOperations(batch: EncodedBatch, tokens: number, training: boolean): number {
  const [dim, hidden, layers] = [768, 3072, 6];
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
