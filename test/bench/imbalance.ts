// `npm run bench:imbalance [-- FILE]`: recall, precision and F1 of a rare class with and without class weights, next to
// scikit-learn's bag of words with and without class_weight='balanced'. Negative reviews are made rare: training and
// validation sets are subsampled to 97:3, with three seeds. The data sets are the embedded reviews and a file of reviews
// (label, title, content), whose last 1,000 rows are the test set and the 1,000 before them the validation set.
//
// The test sets keep all their negative reviews, since recall would have an error of 15 points with the 11 that 97:3
// leaves. Recall does not depend on the class frequencies; precision, F1 and accuracy are calculated for 97:3. Models are
// fine-tuned for 5 epochs; all other settings are the defaults.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import * as tunebook from 'tunebook';
import { tableBundle } from '#lib/figures/html-table.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { seededRandom, shuffle } from '#lib/reviews/random.js';
import { embeddedModel, root } from '../checkout.js';
import { findPyTorch } from './pytorch-environment.js';

const [file] = process.argv.slice(2);
const seeds = [1, 2, 3];
/** Fraction of the rare class, which is class 0. */
const rareFraction = 0.03;

/** Keeps so many rows of class 0, chosen at random, that they are 3 % of all rows. */
function subsampled(reviews: tunebook.Review[], seed: number): tunebook.Review[] {
  const random = seededRandom(seed);
  const [rare, frequent] = [0, 1].map((wanted) => reviews.filter(({ label }) => label === wanted));
  const count = Math.round((frequent!.length * rareFraction) / (1 - rareFraction));
  return shuffle([...shuffle(rare!, random).slice(0, count), ...frequent!], random);
}

/** Results for the rare class at 97:3. */
type Result = Record<'recall' | 'precision' | 'F1' | 'accuracy', number>;

function resultOf(test: tunebook.Review[], predicted: number[]): Result {
  const rateOfRare = (label: number) => {
    const rows = test.flatMap((review, i) => (review.label === label ? [predicted[i]!] : []));
    return rows.filter((prediction) => prediction === 0).length / rows.length;
  };
  const [recall, falseRate] = [rateOfRare(0), rateOfRare(1)];
  const found = rareFraction * recall;
  const wrong = (1 - rareFraction) * falseRate;
  const precision = found + wrong > 0 ? found / (found + wrong) : 0;
  const F1 = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
  return { recall, precision, F1, accuracy: found + (1 - rareFraction) - wrong };
}

function bagOfWords(train: tunebook.Review[], test: tunebook.Review[]): Record<'none' | 'balanced', number[]> {
  const texts = (reviews: tunebook.Review[]) => reviews.map(({ text }) => text);
  const input = {
    train: { texts: texts(train), labels: train.map(({ label }) => label) },
    test: { texts: texts(test) },
  };
  const python = spawnSync(findPyTorch(), [path.join(root, 'test/bench/imbalance.py')], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (python.status !== 0) throw new Error(python.stderr);
  return JSON.parse(python.stdout) as Record<'none' | 'balanced', number[]>;
}

async function fineTuned(
  { train, validation, test }: tunebook.ReviewSplit,
  classWeights: 'none' | 'balanced',
  seed: number,
): Promise<number[]> {
  const model = tunebook.TextClassifier.fromFolder(embeddedModel, { labels: ['negative', 'positive'], seed });
  const trainer = new tunebook.Trainer(model, { epochs: 5, classWeights, seed });
  await trainer.train(train, { validation });
  const { logits } = await tunebook.evaluate(model, model.encode(test, trainer.settings.maxLength));
  model.dispose();
  return tunebook.predictions(logits, 2).map(({ label }) => label);
}

const embedded = await tunebook.sampleReviews(await embeddedReviews());
const datasets = [{ name: 'embedded', splitOf: (seed: number) => tunebook.splitReviews(embedded, { seed }) }];
if (file) {
  const source = await tunebook.openReviews(file, { textColumns: ['title', 'content'], labelColumn: 'label' });
  const rows = await tunebook.sampleReviews(source);
  // Neighboring rows review the same product, so a random split would put reviews of one product into several sets.
  const split = { train: rows.slice(0, -2000), validation: rows.slice(-2000, -1000), test: rows.slice(-1000) };
  datasets.push({ name: path.basename(file, path.extname(file)), splitOf: () => split });
}
for (const { name, splitOf } of datasets) {
  const results = new Map<string, Result[]>();
  const add = (method: string, result: Result) => {
    results.set(method, [...(results.get(method) ?? []), result]);
    console.log(
      `  ${method}: ${Object.entries(result)
        .map(([key, value]) => `${key} ${(100 * value).toFixed(1)}`)
        .join(', ')}`,
    );
  };
  for (const seed of seeds) {
    const { train, validation, test } = splitOf(seed);
    const split = { train: subsampled(train, seed), validation: subsampled(validation, seed), test };
    const count = (reviews: tunebook.Review[]) => [0, 1].map((c) => reviews.filter(({ label }) => label === c).length);
    console.log(
      `${name}, seed ${seed}: negative and positive ${count(split.train).join(':')} for training, ` +
        `${count(split.validation).join(':')} for validation, ${count(test).join(':')} for the test`,
    );
    const bag = bagOfWords(split.train, test);
    for (const classWeights of ['none', 'balanced'] as const) {
      add(`bag of words, class_weight ${classWeights}`, resultOf(test, bag[classWeights]));
      add(`fine-tuned, classWeights ${classWeights}`, resultOf(test, await fineTuned(split, classWeights, seed)));
    }
  }
  const describe = (values: number[]) => {
    const { mean, standardDeviation } = tunebook.overSeeds(values);
    return `${(100 * mean).toFixed(1)} ± ${(100 * standardDeviation).toFixed(1)}`;
  };
  const rows = [...results]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([method, each]) => ({
      method,
      ...Object.fromEntries(
        (['recall', 'precision', 'F1', 'accuracy'] as const).map((key) => [
          key,
          describe(each.map((result) => result[key])),
        ]),
      ),
      'recall by seed': each.map(({ recall }) => (100 * recall).toFixed(1)).join(', '),
    }));
  console.log(tableBundle(rows)['text/plain']);
}
