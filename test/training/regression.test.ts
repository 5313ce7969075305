/**
 * Regression: loss, gradients and 20 training steps are those of transformers' problem type regression, metrics those of scikit-learn
 * and scipy, and the baseline scikit-learn's Ridge. test/fixtures/regression.py writes the fixture.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ReviewStream } from '#lib/batching/stream.js';
import { ArgumentError, SettingsError } from '#lib/errors.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { evaluateRegression } from '#lib/evaluation/evaluate-regression.js';
import { fitTfidf } from '#lib/evaluation/bag-of-words.js';
import { score } from '#lib/evaluation/logistic-regression.js';
import { meanBaseline, ridgeRegression } from '#lib/evaluation/regression-baseline.js';
import { regressionMetrics } from '#lib/evaluation/regression-metrics.js';
import { labelsOf, packTexts } from '#lib/model/batch.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import type { Layers } from '#lib/model/layers.js';
import { restoreParameters } from '#lib/model/model.js';
import { TextClassifier, type RegressionModel } from '#lib/model/text-classifier.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { TrainingStep } from '#lib/training/step.js';
import { regressionStep } from '#lib/training/tasks/regression.js';
import { Trainer } from '#lib/training/trainer.js';
import { embeddedModel, fixtures } from '../checkout.js';
import { failure } from '../failure.js';
import { batchOf, isClose, restoreHead, rowsOf, testStep, type StepReference } from './step-parity.js';

const expected = JSON.parse(fs.readFileSync(path.join(fixtures, 'regression.json'), 'utf8')) as StepReference & {
  metrics: Record<'labels' | 'predictions', number[]> &
    Record<'meanSquaredError' | 'meanAbsoluteError' | 'r2' | 'pearson' | 'spearman', number>;
  baseline: { texts: string[]; labels: number[]; train: number; predictions: number[] };
  pipeline: { logit: number; result: { label: string; score: number }[] };
};
type Name = keyof typeof expected.models;

/** A model of the fixture with its head of one output. */
function modelOf(name: Name, layers: Layers = fusedLayers): RegressionModel {
  const model = TextClassifier.fromFolder(path.join(fixtures, name), {
    labels: ['LABEL_0'],
    precision: 'float32',
    layers,
  });
  assert.equal(model.problemType, 'regression');
  restoreHead(model, expected.models[name]);
  return model as RegressionModel;
}

testStep(expected, regressionStep, modelOf);

test('batches of any division, accumulated, have the loss and the gradient norm of one batch', async () => {
  for (const division of [[[0, 1, 2, 3]], [[0, 1, 3], [2]], [[0], [1, 2], [3]]]) {
    const model = modelOf('tiny');
    const step = new TrainingStep(model, regressionStep, { accumulates: true });
    const parts = division.map((rows) => regressionStep.select(batchOf(expected.models.tiny), rows));
    const { loss, gradNorm } = await step.run(parts, 1e-3);
    isClose(loss, expected.models.tiny.loss);
    isClose(gradNorm, expected.models.tiny.norm);
    step.dispose();
    model.dispose();
  }
});

test('metrics are those of scikit-learn and scipy, also with ties; undefined ones are null', () => {
  const { labels, predictions, meanSquaredError, meanAbsoluteError, r2, pearson, spearman } = expected.metrics;
  const metrics = regressionMetrics(predictions, labels);
  isClose(metrics.loss, meanSquaredError, 1e-12);
  isClose(metrics.rootMeanSquaredError, Math.sqrt(meanSquaredError), 1e-12);
  isClose(metrics.meanAbsoluteError, meanAbsoluteError, 1e-12);
  isClose(metrics.r2!, r2, 1e-12);
  isClose(metrics.pearson!, pearson, 1e-12);
  isClose(metrics.spearman!, spearman, 1e-12);
  assert.equal(metrics.count, 60);
  assert.deepEqual(regressionMetrics([1, 2], [3, 3]), {
    count: 2,
    loss: 2.5,
    rootMeanSquaredError: Math.sqrt(2.5),
    meanAbsoluteError: 1.5,
    r2: null,
    pearson: null,
    spearman: null,
  });
  const reviews = (numbers: number[]) => numbers.map((label) => ({ text: '', label }));
  const { loss, r2: ofMean, pearson: none } = meanBaseline(reviews([1, 2]), reviews([0, 3]));
  assert.deepEqual([loss, ofMean, none], [2.25, 0, null]);
});

test("the bag of words with ridge regression predicts what scikit-learn's does", () => {
  const { texts, labels, train, predictions } = expected.baseline;
  const { rows, size, rowOf } = fitTfidf(texts.slice(0, train));
  const weights = ridgeRegression(rows, labels.slice(0, train), size, 1);
  for (const [i, prediction] of predictions.entries())
    isClose(score(rowOf(texts[train + i]!), weights, 0, size), prediction, 1e-6);
});

test('predictions are those of the pipeline: the number itself, under the name of the label', async () => {
  const model = TextClassifier.fromFolder(embeddedModel, { labels: ['LABEL_0'], precision: 'float32' });
  const { result } = expected.pipeline;
  // The weights of the head are 0, so that the logit is the bias.
  const values = [...model.parameters].filter(([name]) => name.startsWith('classifier.'));
  restoreParameters(
    model,
    new Map(
      values.map(([name, { shape, size }]) => [
        name,
        { shape, data: new Float32Array(size).fill(name.endsWith('bias') ? expected.pipeline.logit : 0) },
      ]),
    ),
  );
  assert.deepEqual(model.predict(['Great.', 'It broke.']), [result[0], result[0]]);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
  model.save(folder);
  const config = JSON.parse(fs.readFileSync(path.join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
  assert.deepEqual(
    [config['problem_type'], config['id2label'], config['label2id']],
    ['regression', { 0: 'LABEL_0' }, { LABEL_0: 0 }],
  );
  const loaded = TextClassifier.fromFolder(folder, { precision: 'float32' });
  assert.deepEqual([loaded.problemType, loaded.labels, loaded.freshHead], ['regression', ['LABEL_0'], false]);
  assert.deepEqual(loaded.predict(['Great.']), result);
  // As a base of a classifier it has no head.
  const classifier = TextClassifier.fromFolder(folder, { labels: ['no', 'yes'], precision: 'float32' });
  assert.deepEqual([classifier.problemType, classifier.freshHead], ['single_label_classification', true]);
  await assert.rejects(
    evaluateRegression(classifier, classifier.encode([{ text: 'a', label: 1 }])),
    failure(ArgumentError, 'ARGUMENT_PROBLEM_TYPE', { problemType: 'single_label_classification' }),
  );
  await assert.rejects(
    evaluate(loaded, loaded.encode([{ text: 'a', label: 1.5 }])),
    failure(ArgumentError, 'ARGUMENT_PROBLEM_TYPE', { problemType: 'regression' }),
  );
  [model, loaded, classifier].forEach((each) => each.dispose());
  fs.rmSync(folder, { recursive: true });
});

test('the Trainer learns numbers, keeps the evaluation with the lowest loss, and rejects settings of classes', async () => {
  const data = rowsOf(expected.models.tiny);
  const model = modelOf('tiny');
  const trainer = new Trainer(model, { learningRate: 0.02, epochs: 40, batchSize: 4, warmupSteps: 0 });
  const before = (await trainer.evaluate(data)).loss;
  const { best, records } = await trainer.train(data, { validation: data });
  const evaluations = records.flatMap(({ step, evalLoss }) => (evalLoss === undefined ? [] : [{ step, evalLoss }]));
  const lowest = Math.min(...evaluations.map(({ evalLoss }) => evalLoss));
  assert.equal(best!.metrics.loss, lowest);
  assert.equal(evaluations.findLast(({ evalLoss }) => evalLoss === lowest)!.step, best!.step);
  assert.ok(records.every((record) => !('evalAccuracy' in record)));
  const after = await trainer.evaluate(data);
  isClose(after.loss, lowest, 1e-5);
  assert.ok(after.loss < 0.1 * before && after.pearson! > 0.95, `${after.loss} of ${before}, ${after.pearson}`);
  for (const [name, value] of Object.entries({
    classWeights: 'balanced',
    labelSmoothingFactor: 0.1,
    focalGamma: 2,
    method: 'head',
  }))
    assert.throws(
      () => new Trainer(model, { [name]: value }),
      failure(SettingsError, 'SETTING_CONFLICT', { names: [name, 'problemType'] }),
    );
  await assert.rejects(
    trainer.train({ ...data, teacherLogits: new Float32Array(4) }),
    failure(ArgumentError, 'ARGUMENT_PROBLEM_TYPE'),
  );
  await assert.rejects(
    trainer.train({ ids: data.ids, labels: Float32Array.of(1, NaN, 2, 3) }),
    failure(ArgumentError, 'ARGUMENT_LABEL_INVALID', { label: NaN }),
  );
  model.dispose();
});

test('a stream has the numbers of its rows', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
  const file = path.join(folder, 'reviews.csv');
  const numbers = Array.from({ length: 30 }, (_, i) => i / 4 - 2);
  fs.writeFileSync(file, `text,stars\n${numbers.map((number, i) => `review ${i},${number}`).join('\n')}\n`);
  const source = await openReviews(file, { streaming: true, problemType: 'regression' });
  const model = TextClassifier.fromFolder(embeddedModel, { labels: source.labelNames, precision: 'float32' });
  const stream = new ReviewStream(source, { model, workers: 1, maxLength: 16 });
  try {
    const seen: number[] = [];
    for await (const { labels } of stream.batches({ batchSize: 8, seed: 1 })) {
      assert.ok(labels instanceof Float32Array);
      seen.push(...labels);
      if (seen.length >= numbers.length) break;
    }
    assert.deepEqual(
      seen.toSorted((a, b) => a - b),
      numbers,
    );
  } finally {
    await stream.dispose();
    model.dispose();
    fs.rmSync(folder, { recursive: true });
  }
});

test('labels are float32 for numbers and int32 for classes, also of selected rows', () => {
  const batch = { ...packTexts([Int32Array.of(1), Int32Array.of(2)]), labels: labelsOf([1.5, -2], 'regression') };
  assert.deepEqual(regressionStep.select(batch, [1]).labels, Float32Array.of(-2));
  assert.deepEqual(labelsOf([1, 0], 'single_label_classification'), Int32Array.of(1, 0));
});
