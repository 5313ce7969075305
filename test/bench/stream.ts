/**
 * `npm run bench:stream -- [--rows 3600000] [--folder FOLDER]`: streams a data set of the size of amazon_polarity through
 * reading, tokenizing and batching. Prints the throughput, the memory over time, and the time to draw a sample.
 */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describeDropped } from '#lib/reviews/review.js';
import { sampleReviews } from '#lib/reviews/sample.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { splitReviews } from '#lib/reviews/split.js';
import { readModelConfig } from '#lib/model/config.js';
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
console.log(`${rows} training rows and a tenth of that as test rows, ${(bytes / 1e9).toFixed(2)} GB`);

const megabytes = () => process.memoryUsage.rss() / 1e6;
let started = performance.now();
const source = await openReviews(folder);
const table = await sampleReviews(source, { rows: 20_000 });
console.log(
  `opened the reviews and sampled ${table.length} rows in ${((performance.now() - started) / 1000).toFixed(1)} s`,
);
const split = splitReviews(table);

const stream = new ReviewStream(source, {
  model: { config: readModelConfig(embeddedModel), tokenizerFiles: readTokenizer(embeddedModel), maxTokens: 512 },
  without: [split.validation, split.test],
  ...(values.workers && { workers: Number(values.workers) }),
});
started = performance.now();
let rowsRead = 0;
let tokens = 0;
let nextReport = 0;
for await (const { labels, inputIds, next } of stream.batches({ batchSize: 16, seed: 42 })) {
  rowsRead += labels.length;
  tokens += inputIds.length;
  if (rowsRead >= nextReport || next.epoch > 0) {
    const seconds = (performance.now() - started) / 1000;
    console.log(
      `${rowsRead} rows, ${(rowsRead / seconds).toFixed(0)} reviews/s, ${megabytes().toFixed(0)} MB resident`,
    );
    nextReport += rows / 12;
  }
  if (next.epoch > 0) break;
}
const { heldOut, dropped } = stream;
console.log(
  `${(tokens / rowsRead).toFixed(0)} tokens on average, ` +
    `${heldOut} rows held out, ${describeDropped(dropped) || 'none'} left out`,
);
await stream.dispose();
