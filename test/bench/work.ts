// The work that both sides do: DistilBERT-base's size with random weights, dropout on while training, on rows of token ids
// in a file that both read. `fixed` rows are real text cut into stretches of 128 tokens, no padding, so that both sides do
// the very same batches; `own` rows are reviews as long as they are, which each side batches in its own way.
import fs from 'node:fs';
import path from 'node:path';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import type { EncodedReviews } from '#lib/model/batch.js';
import { loadTokenizer } from '#lib/model/load-tokenizer.js';
import { embeddedModel, root } from '../checkout.js';

export type Rows = 'fixed' | 'own';

/** Tokens of a fixed row. */
export const fixedTokens = 128;
/** Reviews that each side batches in its own way. */
const ownRows = 640;

export const rowsFile = (rows: Rows): string => path.join(root, `.tunebook/bench/${rows}.json`);

/**
 * Writes both files.
 * @param file reviews (label, title, content); default: the embedded ones, which are sentences
 * @returns what the reviews are, in words
 */
export async function writeRows(file: string | undefined): Promise<string> {
  const tokenizer = loadTokenizer(embeddedModel);
  const source = await openReviews(file ?? 'embedded', { textColumns: ['title', 'content'], labelColumn: 'label' });
  const reviews = (await sampleReviews(source)).map(({ text, label }) => ({
    ids: [...tokenizer.encode(text, 512)],
    label,
  }));
  const stream = reviews.flatMap(({ ids }) => ids);
  const stretches = Array.from({ length: Math.min(640, Math.floor(stream.length / fixedTokens)) }, (_, i) =>
    stream.slice(i * fixedTokens, (i + 1) * fixedTokens),
  );
  const own = reviews.slice(0, ownRows);
  fs.mkdirSync(path.dirname(rowsFile('own')), { recursive: true });
  for (const [rows, content] of [
    ['fixed', { ids: stretches, labels: stretches.map((_, i) => i % 2) }],
    ['own', { ids: own.map(({ ids }) => ids), labels: own.map(({ label }) => label) }],
  ] as const)
    fs.writeFileSync(rowsFile(rows), JSON.stringify(content));
  const mean = own.reduce((sum, { ids }) => sum + ids.length, 0) / own.length;
  return `${own.length} ${file ? `reviews of ${path.basename(file)}` : 'embedded reviews'}, ${mean.toFixed(0)} tokens on average`;
}

export function readRows(rows: Rows): EncodedReviews {
  const { ids, labels } = JSON.parse(fs.readFileSync(rowsFile(rows), 'utf8')) as { ids: number[][]; labels: number[] };
  return { ids: ids.map((row) => Int32Array.from(row)), labels: Int32Array.from(labels) };
}

/** What a side tells after each turn. */
export interface Turn {
  seconds: number;
  samples: number;
  /** Padding left out. */
  tokens: number;
  /** Operations of the matrix products that this side does. */
  operations: number;
  /** The process's largest resident memory so far, in bytes. */
  peakBytes: number;
}

/**
 * Operations (multiplications and additions) of DistilBERT-base's matrix products for one batch, padding included.
 * @param asking tokens of a text that the last layer asks for: all of them, or the one that the head reads
 */
export function operationsOf(batch: number, tokens: number, asking: number, training: boolean): number {
  const [dim, hidden, layers] = [768, 3072, 6];
  const layer = (asking: number) =>
    // Keys and values; queries, output and feed-forward; scores and their use.
    2 * batch * (tokens * 2 * dim ** 2 + asking * (2 * dim ** 2 + 2 * dim * hidden) + 2 * asking * tokens * dim);
  return (training ? 3 : 1) * ((layers - 1) * layer(tokens) + layer(asking));
}
