// `npm run bench:techniques [-- FILE]`: the effect of training techniques that are off by default, over three seeds and
// two data sets: the embedded reviews and a file of reviews (label, title, content), whose last 1,000 rows are the test
// set, with the 1,000 before them for validation and 2,000 before those for training. All other settings are the
// defaults. Differences are paired: each run is compared with the run without a technique on the same split and seed.
import path from 'node:path';
import * as tunebook from 'tunebook';
import { tableBundle } from '#lib/figures/html-table.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { embeddedModel } from '../checkout.js';

const [file] = process.argv.slice(2);
const seeds = [1, 2, 3];
const techniques: Record<string, Partial<tunebook.TrainingSettings>> = {
  none: {},
  'label smoothing 0.1': { labelSmoothingFactor: 0.1 },
  'focal loss, gamma 2': { focalGamma: 2 },
  'layer-wise decay 0.9': { layerwiseLearningRateDecay: 0.9 },
  'layer-wise decay 0.8': { layerwiseLearningRateDecay: 0.8 },
};

type Result = Record<'accuracy' | 'loss' | 'calibration error', number>;

async function resultOf(
  { train, validation, test }: tunebook.ReviewSplit,
  settings: Partial<tunebook.TrainingSettings>,
  seed: number,
): Promise<Result> {
  const model = tunebook.TextClassifier.fromFolder(embeddedModel, { labels: ['negative', 'positive'], seed });
  const trainer = new tunebook.Trainer(model, { ...settings, seed });
  await trainer.train(train, { validation });
  const rows = model.encode(test, trainer.settings.maxLength);
  const { logits, metrics } = await tunebook.evaluate(model, rows);
  model.dispose();
  return {
    accuracy: metrics.accuracy,
    loss: metrics.loss,
    'calibration error': tunebook.calibration(logits, rows.labels, 2).error,
  };
}

const embedded = await tunebook.sampleReviews(await embeddedReviews());
const datasets = [{ name: 'embedded', splitOf: (seed: number) => tunebook.splitReviews(embedded, { seed }) }];
if (file) {
  const source = await tunebook.openReviews(file, { textColumns: ['title', 'content'], labelColumn: 'label' });
  const rows = await tunebook.sampleReviews(source);
  // Neighboring rows review the same product, so a random split would put reviews of one product into several sets.
  const split = { train: rows.slice(-4000, -2000), validation: rows.slice(-2000, -1000), test: rows.slice(-1000) };
  datasets.push({ name: path.basename(file, path.extname(file)), splitOf: () => split });
}
for (const { name, splitOf } of datasets) {
  const results = new Map<string, Result[]>();
  for (const seed of seeds)
    for (const [technique, settings] of Object.entries(techniques)) {
      const result = await resultOf(splitOf(seed), settings, seed);
      results.set(technique, [...(results.get(technique) ?? []), result]);
      console.log(`  ${name}, seed ${seed}, ${technique}: ${JSON.stringify(result)}`);
    }
  const describe = (values: number[], factor = 1, digits = 3) => {
    const { mean, standardDeviation } = tunebook.overSeeds(values);
    return `${(factor * mean).toFixed(digits)} ± ${(factor * standardDeviation).toFixed(digits)}`;
  };
  const baseline = results.get('none')!;
  const rows = [...results].map(([technique, each]) => ({
    technique,
    'accuracy, %': describe(
      each.map(({ accuracy }) => accuracy),
      100,
      1,
    ),
    'difference, points': describe(
      each.map(({ accuracy }, i) => accuracy - baseline[i]!.accuracy),
      100,
      1,
    ),
    loss: describe(each.map(({ loss }) => loss)),
    'calibration error': describe(each.map((result) => result['calibration error'])),
  }));
  console.log(`${name}, ${splitOf(seeds[0]!).train.length} training reviews`);
  console.log(tableBundle(rows)['text/plain']);
}
