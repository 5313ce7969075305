import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classificationMetrics, rocAuc, wilsonInterval } from '#lib/evaluation/metrics.js';

const close = (found: number, expected: number, within = 1e-6) =>
  assert.ok(Math.abs(found - expected) < within, `${found} against ${expected}`);

test("Wilson's interval, against its formula worked out apart", () => {
  const { low, high } = wilsonInterval(530, 597);
  close(low, 0.8599327);
  close(high, 0.9106533);
  assert.deepEqual(wilsonInterval(0, 0), { low: 0, high: 1 });
  close(wilsonInterval(10, 10).high, 1);
  assert.ok(wilsonInterval(10, 10).low < 0.8);
});

test('ROC AUC counts ties half and needs both classes', () => {
  close(rocAuc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 0.75);
  close(rocAuc([1, 1, 1, 1], [0, 1, 0, 1]), 0.5);
  assert.ok(Number.isNaN(rocAuc([0.1, 0.2], [1, 1])));
});

test('figures of five predictions, counted by hand', () => {
  // Predicted 1, 1, 0, 0, 1; true 1, 0, 0, 1, 1.
  const metrics = classificationMetrics(Float32Array.from([0, 2, 0, 1, 3, 0, 1, 0, -1, 1]), [1, 0, 0, 1, 1], 2);
  assert.deepEqual(metrics.confusion, [
    [1, 1],
    [1, 2],
  ]);
  close(metrics.accuracy, 0.6);
  close(metrics.precision, 2 / 3);
  close(metrics.recall, 2 / 3);
  close(metrics.f1, 2 / 3);
  const losses = [2, -1, 3, -1, 2].map((margin) => Math.log(1 + Math.exp(-margin)));
  close(metrics.loss, losses.reduce((a, b) => a + b) / 5);
});
