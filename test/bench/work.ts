// The work that both sides do: DistilBERT-base's size with random weights, on batches of full length, dropout on. The
// tokens are real text, the embedded reviews one after another, so that their vocabulary is that of a small data set.
import fs from 'node:fs';
import path from 'node:path';
import { embeddedReviews } from 'tunebook/reviews/embedded.js';
import { reviewsOf } from 'tunebook/reviews/table.js';
import type { EncodedReviews } from 'tunebook/text/batches.js';
import { loadTokenizer } from 'tunebook/text/tokenizer.js';
import { embeddedModel, root } from '../checkout.js';

export const batch = Number(process.env['BENCH_BATCH'] ?? 8);
export const tokens = Number(process.env['BENCH_TOKENS'] ?? 128);
/** Steps measured each time a side's turn comes. */
export const steps = 4;
/** Turns, alternating. */
export const rounds = 5;

export const workFile = path.join(root, '.tunebook/bench/work.json');

/** Writes the rows for both sides: lists of `tokens` ids, and labels. */
export async function writeWork(): Promise<void> {
  const tokenizer = await loadTokenizer(embeddedModel);
  const ids = reviewsOf(embeddedReviews().table).flatMap(({ text }) => [...tokenizer.encode(text)]);
  const rows = Array.from({ length: Math.floor(ids.length / tokens) }, (_, i) =>
    ids.slice(i * tokens, (i + 1) * tokens),
  );
  fs.mkdirSync(path.dirname(workFile), { recursive: true });
  fs.writeFileSync(workFile, JSON.stringify({ ids: rows, labels: rows.map((_, i) => i % 2) }));
}

export function readWork(): EncodedReviews {
  const { ids, labels } = JSON.parse(fs.readFileSync(workFile, 'utf8')) as { ids: number[][]; labels: number[] };
  return { ids: ids.map((row) => Int32Array.from(row)), labels: Int32Array.from(labels) };
}
