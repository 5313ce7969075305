// Paired comparison of classifiers: McNemar's exact test equals statsmodels', and bootstrap intervals those of theory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrapDifference, mcnemar } from '#lib/evaluation/paired-tests.js';

test("p-values are those of statsmodels' mcnemar(exact=True)", () => {
  // statsmodels 0.14: mcnemar([[0, onlyFirst], [onlySecond, 0]], exact=True).pvalue
  for (const [onlyFirst, onlySecond, expected] of [
    [24, 13, 0.09887174959294498],
    [13, 24, 0.09887174959294498],
    [5, 0, 0.0625],
    [1, 1, 1],
    [3, 2, 1],
    [700, 640, 0.10697992524490962],
    [0, 0, 1],
  ] as const)
    assert.ok(Math.abs(mcnemar(onlyFirst, onlySecond) - expected) < 1e-9, `${onlyFirst} ${onlySecond}`);
});

test('bootstrap intervals have the width of theory, do not change with the run, and are 0 for equal classifiers', () => {
  const [rows, onlyFirst, onlySecond] = [600, 60, 30];
  const first = Array.from({ length: rows }, (_, row) => row < onlyFirst || row >= onlyFirst + onlySecond);
  const second = Array.from({ length: rows }, (_, row) => row >= onlyFirst);
  const { interval, samples } = bootstrapDifference(first, second);
  const difference = (onlyFirst - onlySecond) / rows;
  const deviation = Math.sqrt((onlyFirst + onlySecond) / rows - difference ** 2) / Math.sqrt(rows);
  assert.equal(samples, 10_000);
  assert.ok(Math.abs(interval.low - (difference - 1.96 * deviation)) < 0.1 * deviation, String(interval.low));
  assert.ok(Math.abs(interval.high - (difference + 1.96 * deviation)) < 0.1 * deviation, String(interval.high));
  assert.deepEqual(bootstrapDifference(first, second).interval, interval);
  assert.deepEqual(bootstrapDifference(second, first, 42).interval.low < 0, true);
  assert.deepEqual(bootstrapDifference(first, first).interval, { low: 0, high: 0 });
});
