/**
 * Multi-label classification: loss, gradients and 20 training steps are those of transformers' problem type multi_label_classification,
 * metrics and baseline those of scikit-learn. test/fixtures/multi-label.py writes the fixture.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ReviewStream } from '#lib/batching/stream.js';
import { ArgumentError, SettingsError } from '#lib/errors.js';
import { wordAttribution } from '#lib/evaluation/attribution.js';
import { evaluate } from '#lib/evaluation/evaluate.js';
import { evaluateMultiLabel } from '#lib/evaluation/evaluate-multi-label.js';
import { bagOfWordsSetBaseline, frequentSetBaseline } from '#lib/evaluation/multi-label-baseline.js';
import { multiLabelMetrics, type SetScores } from '#lib/evaluation/multi-label-metrics.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import type { Layers } from '#lib/model/layers.js';
import { restoreParameters } from '#lib/model/model.js';
import { TextClassifier, type MultiLabelModel } from '#lib/model/text-classifier.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { TrainingStep } from '#lib/training/step.js';
import { multiLabelStep } from '#lib/training/tasks/multi-label.js';
import { Trainer } from '#lib/training/trainer.js';
import { embeddedModel, fixtures } from '../checkout.js';
import { failure } from '../failure.js';
import { batchOf, restoreHead, rowsOf, testStep, type StepReference } from './step-parity.js';

type Scores = Record<keyof SetScores, number>;
const expected = JSON.parse(fs.readFileSync(path.join(fixtures, 'multi-label.json'), 'utf8')) as StepReference & {
  metrics: Record<'labels' | 'logits', number[]> &
    Record<'micro' | 'macro', Scores> & { perClass: Record<keyof SetScores, number[]> } & Record<
      'subsetAccuracy' | 'hammingLoss' | 'logLoss',
      number
    >;
  baseline: { texts: string[]; labels: number[][]; train: number; microF1: number; subsetAccuracy: number };
  pipeline: { logits: number[]; result: { label: string; score: number }[] };
};
type Name = keyof typeof expected.models;
const names = ['LABEL_0', 'LABEL_1', 'LABEL_2'];
const problemType = 'multi_label_classification';

/** Unlike that of step-parity.ts, of numbers that may be 0. */
const isClose = (actual: number, reference: number, tolerance = 1e-5) =>
  assert.ok(Math.abs(actual - reference) <= tolerance * Math.abs(reference), `${actual} against ${reference}`);

/** A model of the fixture with its head of three outputs. */
function modelOf(name: Name, layers: Layers = fusedLayers): MultiLabelModel {
  const options = { labels: names, problemType, precision: 'float32', layers } as const;
  const model = TextClassifier.fromFolder(path.join(fixtures, name), options);
  assert.equal(model.problemType, problemType);
  restoreHead(model, expected.models[name]);
  return model as MultiLabelModel;
}

testStep(expected, multiLabelStep, modelOf);

test('batches of any division, accumulated, have the loss and the gradient norm of one batch', async () => {
  for (const division of [[[0, 1, 2, 3]], [[0, 1, 3], [2]], [[0], [1, 2], [3]]]) {
    const model = modelOf('tiny');
    const step = new TrainingStep(model, multiLabelStep, { accumulates: true });
    const parts = division.map((rows) => multiLabelStep.select(batchOf(expected.models.tiny), rows));
    assert.deepEqual(
      [...parts[0]!.labels],
      division[0]!.flatMap((row) => expected.models.tiny.labels.slice(3 * row, 3 * row + 3)),
    );
    const { loss, gradNorm } = await step.run(parts, 1e-3);
    isClose(loss, expected.models.tiny.loss);
    isClose(gradNorm, expected.models.tiny.norm);
    step.dispose();
    model.dispose();
  }
});

test('metrics are those of scikit-learn, also of classes that never occur or are never predicted', () => {
  const { labels, logits, micro, macro, perClass, subsetAccuracy, hammingLoss, logLoss } = expected.metrics;
  const metrics = multiLabelMetrics(logits, labels, ['a', 'b', 'c', 'd', 'e']);
  for (const score of ['precision', 'recall', 'f1'] as const) {
    isClose(metrics.micro[score], micro[score], 1e-12);
    isClose(metrics.macro[score], macro[score], 1e-12);
    metrics.perClass.forEach((each, i) => isClose(each[score], perClass[score][i]!, 1e-12));
  }
  isClose(metrics.subsetAccuracy, subsetAccuracy, 1e-12);
  isClose(metrics.hammingLoss, hammingLoss, 1e-12);
  isClose(metrics.loss, logLoss, 1e-9);
  const supports = metrics.perClass.map(({ support }) => support);
  assert.deepEqual([metrics.count, supports[4], metrics.perClass[3]!.recall], [60, 0, 0]);
  assert.ok(supports[3]! > 0);
  // Losses of large logits are finite, and a probability of exactly one half counts.
  const { loss, perClass: extreme } = multiLabelMetrics([1000, -1000, 0], [0, 1, 1], ['a', 'b', 'c']);
  isClose(loss, (2000 + Math.log(2)) / 3, 1e-12);
  assert.equal(extreme[2]!.recall, 1);
});

test("the bag of words, one class at a time, predicts what scikit-learn's does; the most frequent set is a constant", () => {
  const { texts, labels, train, microF1, subsetAccuracy } = expected.baseline;
  const reviews = texts.map((text, i) => ({ text, label: 0, labels: labels[i]! }));
  const [fitted, rest] = [reviews.slice(0, train), reviews.slice(train)];
  const result = bagOfWordsSetBaseline(fitted, rest, ['a', 'b', 'c']);
  isClose(result.micro.f1, microF1, 1e-12);
  isClose(result.subsetAccuracy, subsetAccuracy, 1e-12);
  const of = (...sets: number[][]) => sets.map((each) => ({ text: 'word', label: 0, labels: each }));
  const frequent = frequentSetBaseline(of([0, 1], [1], [0, 1], []), of([0, 1], [1]), ['a', 'b']);
  assert.deepEqual([frequent.subsetAccuracy, frequent.hammingLoss, frequent.micro.precision], [0.5, 0.25, 0.75]);
  // A class without a row in the training set is never predicted, one of all rows always.
  const constant = bagOfWordsSetBaseline(of([1], [1]), of([0, 1]), ['a', 'b']);
  assert.deepEqual(
    constant.perClass.map(({ recall }) => recall),
    [0, 1],
  );
});

test('predictions are those of the pipeline: a probability of its own for each class, and all classes from 0.5 on', async () => {
  const model = TextClassifier.fromFolder(embeddedModel, { labels: names, problemType, precision: 'float32' });
  const { logits, result } = expected.pipeline;
  // The weights of the head are 0, so that the logits are the bias.
  const values = [...model.parameters].filter(([name]) => name.startsWith('classifier.'));
  const dataOf = (name: string, size: number) =>
    name.endsWith('bias') ? Float32Array.from(logits) : new Float32Array(size);
  restoreParameters(
    model,
    new Map(values.map(([name, { shape, size }]) => [name, { shape, data: dataOf(name, size) }])),
  );
  const [prediction] = model.predict(['Great.']);
  assert.deepEqual([prediction!.label, prediction!.labels], [result[0]!.label, ['LABEL_0', 'LABEL_2']]);
  isClose(prediction!.score, result[0]!.score, 1e-6);
  // The head ignores the text, so that no word contributes; the log-odds of a class are its logit.
  const { label, score, favored, words } = wordAttribution(model, 'Great thing.');
  assert.deepEqual([label, score, favored], [prediction!.label, prediction!.score, prediction!.label]);
  assert.deepEqual(
    words.map(({ contribution }) => contribution),
    [0, 0],
  );
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
  model.save(folder);
  const config = JSON.parse(fs.readFileSync(path.join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
  assert.deepEqual([config['problem_type'], config['id2label']], [problemType, Object.fromEntries(names.entries())]);
  const loaded = TextClassifier.fromFolder(folder, { precision: 'float32' });
  assert.deepEqual(
    [loaded.problemType, loaded.freshHead, loaded.predict(['Great.'])],
    [problemType, false, [prediction]],
  );
  const classifier = TextClassifier.fromFolder(folder, { labels: ['no', 'yes'], precision: 'float32' });
  assert.deepEqual([classifier.problemType, classifier.freshHead], ['single_label_classification', true]);
  await assert.rejects(
    evaluateMultiLabel(classifier, classifier.encode([{ text: 'a', label: 1 }])),
    failure(ArgumentError, 'ARGUMENT_PROBLEM_TYPE', { problemType: 'single_label_classification' }),
  );
  await assert.rejects(
    evaluate(loaded, loaded.encode([{ text: 'a', label: 0, labels: [1] }])),
    failure(ArgumentError, 'ARGUMENT_PROBLEM_TYPE', { problemType }),
  );
  for (const labels of [undefined, [3], [0.5], [-1]])
    assert.throws(
      () => loaded.encode([{ text: 'a', label: 0, ...(labels && { labels }) }]),
      failure(ArgumentError, 'ARGUMENT_LABEL_INVALID', { label: labels }),
    );
  [model, loaded, classifier].forEach((each) => each.dispose());
  fs.rmSync(folder, { recursive: true });
});

test('the Trainer learns sets, keeps the evaluation with the highest micro F1, and rejects settings of exclusive classes', async () => {
  const data = rowsOf(expected.models.tiny);
  const model = modelOf('tiny');
  const trainer = new Trainer(model, { learningRate: 0.02, epochs: 30, batchSize: 4, warmupSteps: 0 });
  const { best, records } = await trainer.train(data, { validation: data });
  const scores = records.flatMap(({ step, evalMicroF1 }) => (evalMicroF1 === undefined ? [] : [{ step, evalMicroF1 }]));
  const highest = Math.max(...scores.map(({ evalMicroF1 }) => evalMicroF1));
  assert.equal(best!.metrics.micro.f1, highest);
  assert.equal(scores.findLast(({ evalMicroF1 }) => evalMicroF1 === highest)!.step, best!.step);
  assert.ok(records.every((record) => !('evalAccuracy' in record)));
  const after = await trainer.evaluate(data);
  assert.deepEqual(
    [after.subsetAccuracy, after.hammingLoss, after.perClass.map(({ support }) => support)],
    [1, 0, [2, 2, 2]],
  );
  const others = { classWeights: 'balanced', labelSmoothingFactor: 0.1, focalGamma: 2, method: 'setfit' };
  for (const [name, value] of Object.entries(others))
    assert.throws(
      () => new Trainer(model, { [name]: value }),
      failure(SettingsError, 'SETTING_CONFLICT', { names: [name, 'problemType'] }),
    );
  await assert.rejects(
    trainer.train({ ...data, teacherLogits: new Float32Array(12) }),
    failure(ArgumentError, 'ARGUMENT_PROBLEM_TYPE'),
  );
  await assert.rejects(
    trainer.train({ ids: data.ids, labels: Float32Array.of(1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0) }),
    failure(ArgumentError, 'ARGUMENT_LABEL_INVALID', { label: 2 }),
  );
  await assert.rejects(
    trainer.train({ ids: data.ids, labels: Float32Array.of(1, 0, 1, 0) }),
    failure(ArgumentError, 'ARGUMENT_SHAPE_MISMATCH', { expected: [4, 3], actual: 4 }),
  );
  model.dispose();
});

test('a stream has the classes of its rows', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
  const file = path.join(folder, 'reviews.jsonl');
  const sets = Array.from({ length: 30 }, (_, i) =>
    ['price', 'quality', 'delivery'].filter((_, bit) => (i >> bit) & 1),
  );
  fs.writeFileSync(file, sets.map((labels, i) => `${JSON.stringify({ text: `review ${i}`, labels })}\n`).join(''));
  const source = await openReviews(file, { streaming: true, problemType });
  assert.deepEqual(
    [source.labelNames, source.classCounts],
    [
      ['delivery', 'price', 'quality'],
      [14, 15, 14],
    ],
  );
  const model = TextClassifier.fromFolder(embeddedModel, { reading: source.reading, precision: 'float32' });
  assert.equal(model.problemType, problemType);
  const stream = new ReviewStream(source, { model, workers: 1, maxLength: 16 });
  try {
    const seen: string[] = [];
    for await (const { ids, labels, offsets } of batchesOf(stream)) {
      for (let row = 0; row < offsets.length - 1; row++)
        seen.push([...ids.subarray(offsets[row], offsets[row + 1]), ...labels.subarray(3 * row, 3 * row + 3)].join());
      if (seen.length >= sets.length) break;
    }
    const reviews = sets.map((labels, i) => ({
      text: `review ${i}`,
      label: 0,
      labels: labels.map((name) => source.labelNames.indexOf(name)),
    }));
    const encoded = model.encode(reviews, 16);
    const wanted = encoded.ids.map((ids, row) => [...ids, ...encoded.labels.subarray(3 * row, 3 * row + 3)].join());
    assert.deepEqual(seen.sort(), wanted.sort());
  } finally {
    await stream.dispose();
    model.dispose();
    fs.rmSync(folder, { recursive: true });
  }
});

async function* batchesOf(stream: ReviewStream) {
  for await (const { inputIds: ids, ...rest } of stream.batches({ batchSize: 8, seed: 1 })) yield { ids, ...rest };
}
