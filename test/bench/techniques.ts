// `npm run bench:techniques [-- FILE]`: the effect of training techniques that are off by default, over three seeds and
// two data sets: the embedded reviews and a file of reviews (label, title, content), whose last 1,000 rows are the test
// set, with the 1,000 before them for validation and 2,000 before those for training. All other settings are the
// defaults. Differences are paired: each run is compared with the run without the technique on the same split and seed.
// The teacher of a model with two layers is the fine-tuned model with all six.
//   --only TEXT  only techniques whose name contains this text, and those that they are compared with
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import * as tunebook from 'tunebook';
import { tableBundle } from '#lib/figures/html-table.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { embeddedModel, writeTwoLayers } from '../checkout.js';

const {
  values: { only },
  positionals: [file],
} = parseArgs({ options: { only: { type: 'string', default: '' } }, allowPositionals: true });
const seeds = [1, 2, 3];
const twoLayers = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-techniques-')), 'two-layers');
writeTwoLayers(twoLayers);

interface Technique {
  settings?: Partial<tunebook.TrainingSettings>;
  /** @default the embedded model */
  model?: string;
  /** The technique it is compared with. */
  baseline: string;
  /** Whether it learns from the model of `all layers`. */
  isTaught?: boolean;
}
const techniques: Record<string, Technique> = {
  'all layers': { baseline: 'all layers' },
  'label smoothing 0.1': { settings: { labelSmoothingFactor: 0.1 }, baseline: 'all layers' },
  'focal loss, gamma 2': { settings: { focalGamma: 2 }, baseline: 'all layers' },
  'layer-wise decay 0.9': { settings: { layerwiseLearningRateDecay: 0.9 }, baseline: 'all layers' },
  'layer-wise decay 0.8': { settings: { layerwiseLearningRateDecay: 0.8 }, baseline: 'all layers' },
  'LoRA, rank 8, queries and values': { settings: { loraRank: 8, learningRate: 1e-3 }, baseline: 'all layers' },
  'LoRA, rank 8, all-linear': {
    settings: { loraRank: 8, learningRate: 1e-3, loraTargetModules: 'all-linear' },
    baseline: 'all layers',
  },
  'two layers': { model: twoLayers, baseline: 'two layers' },
  'two layers, with a teacher': { model: twoLayers, baseline: 'two layers', isTaught: true },
};
const selected = Object.entries(techniques).filter(
  ([name]) =>
    name === 'all layers' ||
    Object.entries(techniques).some(
      ([other, { baseline }]) => other.includes(only) && [other, baseline].includes(name),
    ),
);

type Result = Record<'accuracy' | 'loss' | 'calibration error', number>;

async function resultOf(
  { train, validation, test }: tunebook.ReviewSplit,
  { settings = {}, model: folder = embeddedModel }: Technique,
  seed: number,
  teacherLogits?: Float32Array,
): Promise<{ result: Result; trainLogits: Float32Array }> {
  const model = tunebook.TextClassifier.fromFolder(folder, { labels: ['negative', 'positive'], seed });
  const trainer = new tunebook.Trainer(model, { ...settings, seed });
  const encode = (reviews: tunebook.Review[]) => model.encode(reviews, trainer.settings.maxLength);
  const [rows, testRows] = [encode(train), encode(test)];
  await trainer.train({ ...rows, ...(teacherLogits && { teacherLogits }) }, { validation });
  const { logits, metrics } = await tunebook.evaluate(model, testRows);
  const { logits: trainLogits } = await tunebook.evaluate(model, rows);
  model.dispose();
  const { error } = tunebook.calibration(logits, testRows.labels, 2);
  return { result: { accuracy: metrics.accuracy, loss: metrics.loss, 'calibration error': error }, trainLogits };
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
  for (const seed of seeds) {
    let teacherLogits: Float32Array | undefined;
    for (const [technique, options] of selected) {
      const { result, trainLogits } = await resultOf(
        splitOf(seed),
        options,
        seed,
        options.isTaught ? teacherLogits : undefined,
      );
      if (technique === 'all layers') teacherLogits = trainLogits;
      results.set(technique, [...(results.get(technique) ?? []), result]);
      console.log(`  ${name}, seed ${seed}, ${technique}: ${JSON.stringify(result)}`);
    }
  }
  const describe = (values: number[], factor = 1, digits = 3) => {
    const { mean, standardDeviation } = tunebook.overSeeds(values);
    return `${(factor * mean).toFixed(digits)} ± ${(factor * standardDeviation).toFixed(digits)}`;
  };
  const baselineOf = (technique: string) => results.get(techniques[technique]!.baseline)!;
  const rows = [...results].map(([technique, each]) => ({
    technique,
    'accuracy, %': describe(
      each.map(({ accuracy }) => accuracy),
      100,
      1,
    ),
    'difference, points': describe(
      each.map(({ accuracy }, i) => accuracy - baselineOf(technique)[i]!.accuracy),
      100,
      1,
    ),
    loss: describe(each.map(({ loss }) => loss)),
    'calibration error': describe(each.map((result) => result['calibration error'])),
  }));
  console.log(`${name}, ${splitOf(seeds[0]!).train.length} training reviews`);
  console.log(tableBundle(rows)['text/plain']);
}
