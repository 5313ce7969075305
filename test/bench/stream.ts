/**
 * `npm run bench:stream -- [--rows 3600000] [--folder FOLDER]`: how fast a set of amazon_polarity's size streams through
 * reading, tokenizing and batching, how much memory that takes from beginning to end, and how long a sample of it takes.
 */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describeDropped } from '#lib/reviews/review.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { splitReviews } from '#lib/reviews/split.js';
import { readTokenizer } from '#lib/tokenizer/tokenizer.js';
import { ReviewStream } from '#lib/batching/stream.js';
import { embeddedModel, root } from '../checkout.js';
import { writeLargeSet } from './large-set.js';

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '3600000' }, folder: { type: 'string' }, workers: { type: 'string' } },
});
const rows = Number(values.rows);
const folder = path.resolve(values.folder ?? path.join(root, `.tunebook/bench/large-${rows}`));
await writeLargeSet(folder, rows);
const bytes = fs.readdirSync(folder).reduce((sum, file) => sum + fs.statSync(path.join(folder, file)).size, 0);
console.log(`${rows} rows and a tenth to test by, ${(bytes / 1e9).toFixed(2)} GB`);

const megabytes = () => process.memoryUsage.rss() / 1e6;
let started = performance.now();
const source = await openReviews(folder);
const table = await sampleReviews(source, { rows: 20_000 });
console.log(
  `a sample of ${table.length} rows in ${((performance.now() - started) / 1000).toFixed(1)} s, opening included`,
);
const split = splitReviews(table);

const stream = new ReviewStream(source, {
  model: { tokenizerFiles: readTokenizer(embeddedModel), maxTokens: 512 },
  without: [split.validation, split.test],
  ...(values.workers && { workers: Number(values.workers) }),
});
started = performance.now();
let seen = 0;
let tokens = 0;
let padded = 0;
let spoken = 0;
for await (const { batch, lengths, inputIds, next } of stream.batches({ batchSize: 16, seed: 42 })) {
  seen += batch;
  for (const length of lengths) tokens += length;
  padded += inputIds.length;
  if (seen >= spoken || next.epoch > 0) {
    const seconds = (performance.now() - started) / 1000;
    console.log(`${seen} rows, ${(seen / seconds).toFixed(0)} reviews/s, ${megabytes().toFixed(0)} MB resident`);
    spoken += rows / 12;
  }
  if (next.epoch > 0) break;
}
const { heldOut, dropped } = stream;
console.log(
  `${(tokens / seen).toFixed(0)} tokens on average, ${((100 * (padded - tokens)) / padded).toFixed(1)} % padding, ` +
    `${heldOut} rows held out, ${describeDropped(dropped) || 'none'} left out`,
);
await stream.dispose();
