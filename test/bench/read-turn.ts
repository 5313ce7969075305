// A turn of `npm run bench:read`: opens a file of reviews. Prints what test/bench/read.py prints.
import { openReviews } from '#lib/reviews/open-reviews.js';

const started = performance.now();
const {
  splits,
  labelNames,
  classCounts = [],
} = await openReviews(process.argv[2]!, {
  textColumns: ['summary', 'text'],
  labelColumn: 'stars',
});
console.log(
  JSON.stringify({
    rows: splits.train![0]!.rows,
    seconds: (performance.now() - started) / 1000,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    labels: Object.fromEntries(labelNames.map((name, i) => [name, classCounts[i]])),
  }),
);
