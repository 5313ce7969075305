// `npm run bench:accuracy -- FILE`: accuracy of two epochs on a file of reviews (label, title, content), by the library's
// own interface, against a bag of words; and whether Python's transformers gets the same logits from the saved model.
// TUNEBOOK_PRECISION is heeded. The last 1,000 rows are the test, by position, since neighbours review the same product.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as tunebook from 'tunebook';
import { readReviews } from 'tunebook/reviews/read.js';
import { rowsOf } from 'tunebook/reviews/table.js';
import { embeddedModel, root } from '../checkout.js';
import { findPyTorch } from './pytorch-environment.js';

const [file] = process.argv.slice(2);
if (!file) throw new Error('Which file of reviews? npm run bench:accuracy -- reviews.jsonl');
const { table, labelNames } = await readReviews(file, { textColumns: ['title', 'content'], labelColumn: 'label' });
const rows = table.column('label').values.map((_, row) => row);
const [train, test] = [rowsOf(table, rows.slice(0, -1000)), rowsOf(table, rows.slice(-1000))];
const percent = ({ accuracy, interval: { low, high } }: tunebook.BaselineResult) =>
  `${(100 * accuracy).toFixed(1)} % (95 % interval ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
console.log(`bag of words      ${percent(tunebook.bagOfWordsBaseline(train, test))}`);

const tokenizer = await tunebook.loadTokenizer(embeddedModel);
const [trainSet, testSet] = [train, test].map((part) => tunebook.encodeReviews(tokenizer, part, 128)) as [
  tunebook.EncodedReviews,
  tunebook.EncodedReviews,
];
const model = tunebook.loadClassifier(embeddedModel, {
  labels: labelNames,
  precision: tunebook.readSettings().precision,
});
const result = await tunebook.train(
  model,
  { train: trainSet, validation: testSet },
  {
    // The test rows are looked at after each epoch, but nothing is chosen by them: the last model counts.
    arguments: { numTrainEpochs: 2, loadBestModelAtEnd: false, earlyStoppingPatience: 0 },
    onRecord({ epoch, evalAccuracy }) {
      if (evalAccuracy !== undefined)
        console.log(`epoch ${epoch.toFixed(0)}           ${(100 * evalAccuracy).toFixed(1)} %`);
    },
  },
);
const { metrics } = await tunebook.evaluate(model, testSet);
console.log(
  `fine-tuned        ${percent(metrics)}, ${result.samplesPerSecond.toFixed(1)} samples/s (${result.engine})`,
);

const folder = path.join(root, '.tunebook/bench/model');
tunebook.saveClassifier(model, folder, embeddedModel);
const { logits } = await tunebook.evaluate(tunebook.loadClassifier(folder, { precision: 'float32' }), testSet);
fs.writeFileSync(path.join(folder, 'rows.json'), JSON.stringify(testSet.ids.map((ids) => [...ids])));
const python = spawnSync(findPyTorch(), [path.join(root, 'test/bench/saved-model.py'), folder], {
  encoding: 'utf8',
  maxBuffer: 1 << 26,
});
if (python.status !== 0) throw new Error(python.stderr);
const { logits: theirs, words } = JSON.parse(python.stdout) as { logits: number[]; words: string };
const difference = theirs.reduce((largest, logit, i) => Math.max(largest, Math.abs(logit - logits[i]!)), 0);
console.log(
  `in transformers   largest difference of ${theirs.length} logits ${difference.toExponential(1)}${words ? `; it says: ${words}` : ', loaded without a word'}`,
);
