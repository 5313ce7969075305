// Metrics against values that were calculated independently, by hand and by scikit-learn (test/fixtures/metrics.py).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  classificationMetrics,
  describeClasses,
  rocAuc,
  starsOfClasses,
  type ClassificationMetrics,
  type ClassScores,
} from '#lib/evaluation/metrics.js';
import { wilsonInterval } from '#lib/evaluation/interval.js';
import { fixtures } from '../checkout.js';

const assertClose = (actual: number, expected: number, tolerance = 1e-6) =>
  assert.ok(Math.abs(actual - expected) < tolerance, `${actual}, not ${expected}`);

test('the Wilson interval equals independently calculated values', () => {
  const { low, high } = wilsonInterval(530, 597);
  assertClose(low, 0.8599327);
  assertClose(high, 0.9106533);
  assert.deepEqual(wilsonInterval(0, 0), { low: 0, high: 1 });
  assertClose(wilsonInterval(10, 10).high, 1);
  assert.ok(wilsonInterval(10, 10).low < 0.8);
});

test('ROC AUC counts ties as one half, and is null if one side is missing', () => {
  const area = (scores: number[], labels: number[]) => rocAuc(scores, (row) => labels[row] === 1);
  assertClose(area([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])!, 0.75);
  assertClose(area([1, 1, 1, 1], [0, 1, 0, 1])!, 0.5);
  assert.equal(area([0.1, 0.2], [1, 1]), null);
});

test('metrics of five predictions equal the manual calculation, and JSON does not change them', () => {
  // Predicted classes: 1, 1, 0, 0, 1. True classes: 1, 0, 0, 1, 1.
  const names = ['negative', 'positive'];
  const metrics = classificationMetrics(Float32Array.from([0, 2, 0, 1, 3, 0, 1, 0, -1, 1]), [1, 0, 0, 1, 1], names);
  assert.deepEqual(metrics.confusion, [
    [1, 1],
    [1, 2],
  ]);
  assertClose(metrics.accuracy, 0.6);
  const [negative, positive] = metrics.perClass;
  assert.deepEqual([negative!.name, negative!.support, negative!.f1], ['negative', 2, 0.5]);
  assert.deepEqual([positive!.name, positive!.support], ['positive', 3]);
  assertClose(positive!.f1, 2 / 3);
  assertClose(metrics.macro.f1, (1 / 2 + 2 / 3) / 2);
  const losses = [2, -1, 3, -1, 2].map((margin) => Math.log(1 + Math.exp(-margin)));
  assertClose(metrics.loss, losses.reduce((a, b) => a + b) / 5);
  const oneClass = classificationMetrics(Float32Array.from([0, 2, 0, 1]), [1, 1], names);
  assert.deepEqual([oneClass.macro.rocAuc, oneClass.perClass[0]!.rocAuc], [null, null]);
  for (const each of [metrics, oneClass]) assert.deepEqual(JSON.parse(JSON.stringify(each)), each);
});

type Case = Pick<ClassificationMetrics, 'macro' | 'perClass' | 'meanAbsoluteError'> & {
  name: string;
  names: string[];
  labels: number[];
  logits: number[];
};
const { cases } = JSON.parse(fs.readFileSync(path.join(fixtures, 'metrics.json'), 'utf8')) as { cases: Case[] };

for (const { name, names, labels, logits, ...expected } of cases)
  test(`macro and per-class metrics equal those of scikit-learn: ${name}`, () => {
    const metrics = classificationMetrics(Float32Array.from(logits), labels, names);
    const assertScores = (actual: ClassScores, reference: ClassScores) => {
      for (const score of ['precision', 'recall', 'f1'] as const) assertClose(actual[score], reference[score], 1e-12);
      if (reference.rocAuc === null) assert.equal(actual.rocAuc, null);
      else assertClose(actual.rocAuc!, reference.rocAuc, 1e-12);
    };
    assertScores(metrics.macro, expected.macro);
    metrics.perClass.forEach((actual, label) => {
      assertScores(actual, expected.perClass[label]!);
      assert.deepEqual([actual.name, actual.support], [names[label], expected.perClass[label]!.support]);
    });
    if (expected.meanAbsoluteError === null) assert.equal(metrics.meanAbsoluteError, null);
    else assertClose(metrics.meanAbsoluteError!, expected.meanAbsoluteError, 1e-12);
  });

test('star ratings are class names with stars, or at least three numbers up to 10', () => {
  assert.deepEqual(starsOfClasses(['1 star', '2 stars']), [1, 2]);
  assert.deepEqual(starsOfClasses(['5 Stars', '4.5 stars']), [5, 4.5]);
  assert.deepEqual(starsOfClasses(['1', '2', '3']), [1, 2, 3]);
  for (const names of [
    ['0', '4'],
    ['1', '2', 'three'],
    ['negative', 'positive'],
    ['0', '1', '20'],
    ['star', '2 stars'],
  ])
    assert.equal(starsOfClasses(names), undefined, names.join());
});

test('a table of the classes has the scores of each, their macro average, and a dash for what is undefined', () => {
  const metrics = classificationMetrics(Float32Array.from([0, 2, 1, 5, 0, 1, 0, 3, 2]), [1, 0, 1], ['a', 'b', 'c']);
  const rows = describeClasses(metrics).map((row) => Object.values(row).join(' '));
  assert.deepEqual(rows, [
    'a 1.000 1.000 1.000 1.000 1',
    'b 1.000 1.000 1.000 1.000 2',
    'c 0.000 0.000 0.000 – 0',
    'macro average 1.000 1.000 1.000 – 3',
  ]);
  assert.deepEqual(Object.keys(describeClasses(metrics)[0]!), [
    'class',
    'precision',
    'recall',
    'F1',
    'ROC AUC',
    'reviews',
  ]);
});
