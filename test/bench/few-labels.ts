// `npm run bench:few-labels -- FILE`: test accuracy with 8, 16, 64 and 256 labels per class, five seeds each: full
// fine-tuning, a frozen encoder with logistic regression (head), SetFit, PyPI's setfit and a bag of words, on the same
// rows of the embedded reviews and of a file of reviews (label, title, content). All start from the embedded model. The
// last 1,000 rows of the file are the test set, see accuracy.ts; of the embedded reviews a fifth is.
//
// A finished run is a line of a file in .tunebook/bench/few-labels, so that an interrupted measurement continues. No method
// has a validation set. Full fine-tuning takes at least 100 steps; from 64 labels on, both SetFits end after 50 steps
// (800 pairs), since an epoch of all pairs would take hours: 8,224 steps with 256 labels per class.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as tunebook from 'tunebook';
import { fitBagOfWords } from '#lib/evaluation/bag-of-words.js';
import { classificationMetrics } from '#lib/evaluation/metrics.js';
import { embeddedReviews } from '#lib/reviews/embedded.js';
import { seededRandom, shuffle } from '#lib/reviews/random.js';
import { embeddedModel, root } from '../checkout.js';
import { currentMachine } from './machine.js';
import { findSetfit } from './pytorch-environment.js';
import { fewLabelsFile, type FewLabelsResults, type FewLabelsRun } from './results.js';

const [file] = process.argv.slice(2);
if (!file) throw new Error('Missing file of reviews. Run: npm run bench:few-labels -- reviews.jsonl');
const folder = path.join(root, '.tunebook/bench/few-labels');
const [splitsFile, ownFile, setfitFile] = ['splits.json', 'tunebook.jsonl', 'setfit.jsonl'].map((name) =>
  path.join(folder, name),
) as [string, string, string];
const maxLength = 128;
const names = ['negative', 'positive'];
const limit = { fromLabels: 64, steps: 50 };

/** Reviews of one name, of which each run trains on some rows. */
interface Reviews {
  pool: tunebook.Review[];
  test: tunebook.Review[];
}

const embedded = tunebook.splitReviews(await tunebook.sampleReviews(await embeddedReviews()), { seed: 42 });
const rows = await tunebook.sampleReviews(
  await tunebook.openReviews(file, { textColumns: ['title', 'content'], labelColumn: 'label' }),
);
const all: Record<string, Reviews> = {
  embedded: { pool: embedded.train, test: embedded.test },
  [path.basename(file, path.extname(file))]: { pool: rows.slice(0, -1000), test: rows.slice(-1000) },
};

/** The same number of rows of each class, chosen at random. */
function chooseRows({ pool }: Reviews, labels: number, seed: number): number[] {
  const random = seededRandom(seed, labels);
  return [0, 1].flatMap((wanted) =>
    shuffle(
      [...pool.keys()].filter((row) => pool[row]!.label === wanted),
      random,
    ).slice(0, labels),
  );
}

const runs = Object.entries(all).flatMap(([reviews, each]) =>
  [1, 2, 3, 4, 5].flatMap((seed) =>
    [8, 16, 64, 256].map((labels) => ({
      reviews,
      labels,
      seed,
      train: chooseRows(each, labels, seed),
      maxSteps: labels < limit.fromLabels ? -1 : limit.steps,
    })),
  ),
);
type Run = (typeof runs)[number];

const methods = ['full', 'head', 'setfit', 'bag of words'] as const;

/** The training settings of a method. */
const settingsOf = (method: (typeof methods)[number], { labels, maxSteps, seed }: Run) =>
  method === 'setfit'
    ? { method, maxSteps, seed }
    : method === 'full'
      ? { method, epochs: Math.max(4, Math.round(800 / labels)), seed }
      : { method: 'head' as const, seed };

async function measure(method: (typeof methods)[number], run: Run): Promise<FewLabelsRun> {
  const { pool, test } = all[run.reviews]!;
  const train = run.train.map((row) => pool[row]!);
  const { reviews, labels, seed } = run;
  const cell = { reviews, labels, seed, method };
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 100) / 10;
  if (method === 'bag of words') {
    const bag = fitBagOfWords(
      train.map(({ text }) => text),
      train.map(({ label }) => label),
    );
    const trained = seconds();
    const logits = Float32Array.from(test.flatMap(({ text }) => bag.probabilities(text).map(Math.log)));
    const { accuracy, macro } = classificationMetrics(
      logits,
      test.map(({ label }) => label),
      names,
    );
    return { ...cell, accuracy, meanRecall: macro.recall, seconds: trained, steps: 0 };
  }
  const settings = settingsOf(method, run);
  const model = tunebook.TextClassifier.fromFolder(embeddedModel, { labels: names, ...settings });
  try {
    const trainer = new tunebook.Trainer(model, { ...settings, maxLength });
    const { step } = await trainer.train(train);
    const trained = seconds();
    const { accuracy, macro } = await trainer.evaluate(test);
    return { ...cell, accuracy, meanRecall: macro.recall, seconds: trained, steps: step };
  } finally {
    model.dispose();
  }
}

const readRuns = (name: string): FewLabelsRun[] =>
  fs.existsSync(name)
    ? fs
        .readFileSync(name, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as FewLabelsRun)
    : [];

fs.mkdirSync(folder, { recursive: true });
const reviews = Object.fromEntries(
  Object.entries(all).map(([name, { pool, test }]) => {
    const both = [...pool, ...test];
    const [texts, labels] = [both.map(({ text }) => text), both.map(({ label }) => label)];
    return [name, { texts, labels, test: test.map((_, row) => pool.length + row) }];
  }),
);
fs.writeFileSync(splitsFile, JSON.stringify({ maxLength, threads: os.availableParallelism(), reviews, runs }));

const isSame = (a: Omit<FewLabelsRun, 'accuracy'> | Run, b: FewLabelsRun) =>
  a.reviews === b.reviews && a.labels === b.labels && a.seed === b.seed;
for (const run of runs)
  for (const method of methods) {
    if (readRuns(ownFile).some((each) => isSame(run, each) && each.method === method)) continue;
    const result = await measure(method, run);
    fs.appendFileSync(ownFile, `${JSON.stringify(result)}\n`);
    console.log(JSON.stringify(result));
  }
const python = spawnSync(
  findSetfit(),
  [path.join(root, 'test/bench/few-labels.py'), embeddedModel, splitsFile, setfitFile],
  { stdio: 'inherit' },
);
if (python.status !== 0) throw new Error("PyPI's setfit failed; see the output above.");
const results: FewLabelsResults = {
  date: new Date().toISOString().slice(0, 10),
  machine: currentMachine(tunebook.describeDevice()),
  limit,
  tests: Object.fromEntries(Object.entries(all).map(([name, { test }]) => [name, test.length])),
  runs: [...readRuns(ownFile), ...readRuns(setfitFile)],
};
fs.writeFileSync(fewLabelsFile, `${JSON.stringify(results, null, 1)}\n`);
console.log(path.relative(root, fewLabelsFile));
