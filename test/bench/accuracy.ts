// `npm run bench:accuracy -- FILE`: test accuracy after fine-tuning, in float32 and in the default precision of this
// machine, compared with a bag-of-words baseline. The data sets are the embedded reviews (3 epochs, as in the notebook)
// and a file of reviews (label, title, content; 2 epochs). It also compares the logits of the saved model with those of
// Python's transformers. The last 1,000 rows of the file are the test set: neighboring rows review the same product, so a
// random split would put reviews of one product into both sets.
import fs from 'node:fs';
import path from 'node:path';
import * as tunebook from 'tunebook';
import { smoothed } from '#lib/figures/learning-curves.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { embeddedModel, root } from '../checkout.js';
import { accuracyFile, type AccuracyResult, type AccuracyResults } from './results.js';
import { compareSavedModel } from './saved-model.js';

const [file] = process.argv.slice(2);
if (!file) throw new Error('Missing file of reviews. Run: npm run bench:accuracy -- reviews.jsonl');
const percent = ({ accuracy, interval: { low, high } }: tunebook.BaselineResult) =>
  `${(100 * accuracy).toFixed(1)} % (95 % interval ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;

const embedded = await embeddedReviews();
const source = await tunebook.openReviews(file, { textColumns: ['title', 'content'], labelColumn: 'label' });
const rows = await tunebook.sampleReviews(source);
const datasets = [
  {
    reviews: 'embedded',
    labels: embedded.labelNames,
    epochs: 3,
    ...tunebook.splitReviews(await tunebook.sampleReviews(embedded), { seed: 42 }),
  },
  {
    reviews: path.basename(file, path.extname(file)),
    labels: source.labelNames,
    epochs: 2,
    train: rows.slice(0, -1000),
    validation: undefined,
    test: rows.slice(-1000),
  },
];
const results: AccuracyResults = { runs: [], savedModel: { logits: 0, largestDifference: 0, words: '' } };
for (const { reviews, labels, epochs, train, validation, test } of datasets) {
  const bagOfWords = tunebook.bagOfWordsBaseline(train, test);
  console.log(`${reviews}: bag of words ${percent(bagOfWords)}`);
  for (const precision of new Set(['float32', tunebook.precisionOf('auto')] as const)) {
    const model = tunebook.TextClassifier.fromFolder(embeddedModel, { labels, precision });
    const trainer = new tunebook.Trainer(model, { epochs });
    // With a validation set the best model is kept, as in the notebook; without one, the last model.
    const training = await trainer.train(train, { validation });
    const metrics = await trainer.evaluate(test);
    const losses = smoothed(training.records.map(({ loss }) => loss));
    const stride = Math.ceil(losses.length / 150);
    const result: AccuracyResult = {
      reviews,
      precision,
      epochs,
      bagOfWords: bagOfWords.accuracy,
      count: metrics.count,
      accuracy: metrics.accuracy,
      interval: metrics.interval,
      losses: losses.flatMap((loss, i) => (i % stride ? [] : [{ step: i + 1, loss: Number(loss.toFixed(4)) }])),
    };
    results.runs.push(result);
    console.log(
      `${reviews}: fine-tuned ${percent(metrics)}, ${training.samplesPerSecond.toFixed(1)} samples/s (${training.engine})`,
    );
    if (precision === 'float32' && reviews !== 'embedded') {
      const folder = path.join(root, '.tunebook/bench/model');
      model.save(folder);
      results.savedModel = compareSavedModel(model, folder, model.encode(test, 128));
    }
    model.dispose();
  }
}

fs.writeFileSync(accuracyFile, `${JSON.stringify(results, null, 2)}\n`);
console.log(path.relative(root, accuracyFile));
