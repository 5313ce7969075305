// Metrics against values that were calculated independently.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classificationMetrics, rocAuc, wilsonInterval } from '#lib/evaluation/metrics.js';

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

test('ROC AUC counts ties as one half, and is NaN if a class is missing', () => {
  assertClose(rocAuc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 0.75);
  assertClose(rocAuc([1, 1, 1, 1], [0, 1, 0, 1]), 0.5);
  assert.ok(Number.isNaN(rocAuc([0.1, 0.2], [1, 1])));
});

test('metrics of five predictions equal the manual calculation', () => {
  // Predicted classes: 1, 1, 0, 0, 1. True classes: 1, 0, 0, 1, 1.
  const metrics = classificationMetrics(Float32Array.from([0, 2, 0, 1, 3, 0, 1, 0, -1, 1]), [1, 0, 0, 1, 1], 2);
  assert.deepEqual(metrics.confusion, [
    [1, 1],
    [1, 2],
  ]);
  assertClose(metrics.accuracy, 0.6);
  assertClose(metrics.precision, 2 / 3);
  assertClose(metrics.recall, 2 / 3);
  assertClose(metrics.f1, 2 / 3);
  const losses = [2, -1, 3, -1, 2].map((margin) => Math.log(1 + Math.exp(-margin)));
  assertClose(metrics.loss, losses.reduce((a, b) => a + b) / 5);
});
