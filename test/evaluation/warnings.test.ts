// Warnings of rare classes, of classes that are never predicted, and of an accuracy like that of the majority class.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wilsonInterval } from '#lib/evaluation/interval.js';
import { multiLabelWarnings } from '#lib/evaluation/multi-label-warnings.js';
import { labelSetMetrics } from '#lib/evaluation/multi-label-metrics.js';
import { regressionMetrics } from '#lib/evaluation/regression-metrics.js';
import { regressionWarnings } from '#lib/evaluation/regression-warnings.js';
import { evaluationWarnings, imbalanceWarnings } from '#lib/evaluation/warnings.js';
import { readSettings, type Settings } from '#lib/settings/settings.js';

const labels = ['negative', 'positive'];
const settings = (given: Partial<Settings> = {}) => readSettings(given, {});
const reviews = (...counts: number[]) =>
  counts.flatMap((count, label) => Array.from({ length: count }, (_, i) => ({ text: `${label} ${i}`, label })));

/** Metrics of a confusion matrix, as evaluationWarnings needs them. */
function metricsOf(confusion: number[][]) {
  const count = confusion.flat().reduce((a, b) => a + b, 0);
  const correct = confusion.reduce((sum, row, i) => sum + row[i]!, 0);
  return { confusion, count, accuracy: correct / count, interval: wilsonInterval(correct, count) };
}
const codes = (...parameters: Parameters<typeof evaluationWarnings>) =>
  evaluationWarnings(...parameters).map(({ code }) => code);

test('a class with less than a fifth of an equal share is rare', () => {
  assert.deepEqual(imbalanceWarnings(reviews(10, 90), labels, settings()), []);
  const [warning, ...others] = imbalanceWarnings(reviews(58, 1882), labels, settings());
  assert.equal(others.length, 0);
  assert.equal(warning!.code, 'CLASS_RARE');
  assert.match(
    warning!.message,
    /^The class negative is rare: 58 \(3\.0 %\) of 1,940 training reviews\. Reviews per class: positive 1,882, negative 58\. .*classWeights: 'balanced'/,
  );
  // Of five classes an equal share is 20 %, so that 4 % are not rare.
  const stars = ['1', '2', '3', '4', '5'];
  assert.deepEqual(imbalanceWarnings(reviews(20, 4, 10, 20, 46), stars, settings()), []);
  const two = imbalanceWarnings(
    reviews(20, 3, 0, 20, 57),
    stars,
    settings({ classWeights: 'balanced', streaming: true }),
  );
  assert.match(
    two[0]!.message,
    /^2 of 5 classes are rare: 2 3 \(3\.0 %\), 3 0 \(0\.0 %\) of 100 sampled training reviews/,
  );
  assert.doesNotMatch(two[0]!.message, /Weight the classes/);
});

test('a class with test rows that is never predicted gives a warning with its number of rows', () => {
  const metrics = metricsOf([
    [0, 18],
    [0, 579],
  ]);
  const [never, majority] = evaluationWarnings(metrics, reviews(58, 1882), labels, settings());
  assert.equal(never!.code, 'CLASS_NEVER_PREDICTED');
  assert.match(never!.message, /^The class negative is never predicted: its recall is 0 on 18 of 597 test reviews/);
  assert.match(never!.message, /Weight the classes/);
  const [balanced] = evaluationWarnings(metrics, reviews(900, 1000), labels, settings());
  assert.match(balanced!.message, /The classes are balanced: train longer/);
  assert.equal(majority!.code, 'ACCURACY_NOT_ABOVE_MAJORITY');
  assert.match(majority!.message, /is not better than always predicting positive, which is right in 97\.0 %/);
  // A class without test rows need not be predicted.
  assert.deepEqual(codes(metricsOf([[40, 0, 0], [0, 40, 0], [0, 0, 0]]), reviews(9, 9, 1), ['a', 'b', 'c'], settings()), []); // prettier-ignore
});

test('the accuracy is compared with the majority baseline by its interval', () => {
  const train = reviews(30, 70);
  // 70 % is the baseline; 76 % of 100 rows has an interval from 66.8 %, 76 % of 1,000 rows one from 73.3 %.
  const few = metricsOf([[16, 14], [10, 60]]); // prettier-ignore
  const many = metricsOf([[160, 140], [100, 600]]); // prettier-ignore
  assert.deepEqual(codes(few, train, labels, settings()), ['ACCURACY_NOT_ABOVE_MAJORITY']);
  assert.match(evaluationWarnings(few, train, labels, settings())[0]!.message, /not clearly better/);
  assert.deepEqual(codes(many, train, labels, settings()), []);
  // The majority is that of the training set.
  assert.deepEqual(codes(few, reviews(70, 30), labels, settings()), []);
});

test('of multi-label classification a class is rare among the rows of all classes; weights are not proposed', () => {
  const sets = (...counts: [number[], number][]) =>
    counts.flatMap(([each, count]) => Array.from({ length: count }, () => ({ text: 'a', label: 0, labels: each })));
  // Means of 50 and 40 rows per class: 10 rows are not rare, 7 are.
  assert.deepEqual(imbalanceWarnings(sets([[0], 80], [[0, 1], 10], [[], 900]), labels, settings()), []);
  const [warning, ...others] = imbalanceWarnings(sets([[0], 66], [[0, 1], 7], [[], 27]), labels, settings());
  assert.deepEqual([warning!.code, others], ['CLASS_RARE', []]);
  assert.match(
    warning!.message,
    /^The class positive is rare: 7 \(7\.0 %\) of 100 training reviews\. Reviews per class: negative 73, positive 7\. .* Add reviews of this class\.$/,
  );
  assert.doesNotMatch(warning!.message, /lassWeights|accuracy/);
});

test('classes of sets that are never predicted, and a micro F1 that is not above that of the most frequent set', () => {
  const truth = [1, 0, 1, 1, 1, 0];
  const metrics = (...predicted: number[]) => labelSetMetrics(predicted, truth, labels);
  const frequent = metrics(1, 0, 1, 0, 1, 0);
  const [never, f1] = multiLabelWarnings(frequent, frequent);
  assert.equal(never!.code, 'CLASS_NEVER_PREDICTED');
  assert.match(
    never!.message,
    /^The class positive is never predicted: its recall is 0 on 1 of 3 test reviews\. Train longer/,
  );
  assert.equal(f1!.code, 'F1_NOT_ABOVE_MAJORITY');
  assert.match(f1!.message, /^The micro F1 of 0\.857 on 3 test reviews is not better .* has 0\.857\./);
  assert.deepEqual(multiLabelWarnings(metrics(...truth), frequent), []);
  // A class that is predicted wrongly only is not one that is never predicted.
  const codesOf = (test: ReturnType<typeof metrics>) => multiLabelWarnings(test, frequent).map(({ code }) => code);
  assert.deepEqual(codesOf(metrics(1, 1, 1, 0, 1, 0)), ['F1_NOT_ABOVE_MAJORITY']);
});

test('an R² that is not above that of the mean gives a warning that says what to change', () => {
  const numbers = [1, 2, 3, 4];
  const mean = regressionMetrics([2, 2, 2, 2], numbers);
  const [warning] = regressionWarnings(regressionMetrics([0, 0, 0, 0], numbers), mean);
  assert.equal(warning!.code, 'R2_NOT_ABOVE_MEAN');
  assert.match(warning!.message, /^R² is -5\.000 on 4 test reviews, not above .* -0\.200\. .*maxSteps.*learningRate/);
  assert.deepEqual(regressionWarnings(regressionMetrics([1, 2, 3, 3], numbers), mean), []);
  assert.deepEqual(regressionWarnings(regressionMetrics([1, 1], [2, 2]), regressionMetrics([2, 2], [2, 2])), []);
});
