// Analyses that the notebooks show: calibration, thresholds, word associations, label noise, capabilities, attribution.
// Expected values are calculated by hand or follow from the construction of the data.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError } from '#lib/errors.js';
import {
  calibration,
  capabilityProbes,
  capabilityResults,
  coverageByThreshold,
  findLabelNoise,
  fitTemperature,
  MaskedLM,
  overSeeds,
  wordAssociations,
  TextClassifier,
  withTemperature,
  wordAttribution,
} from 'tunebook';
import { packTexts } from '#lib/model/batch.js';
import { seededRandom } from '#lib/reviews/random.js';
import { failure } from '../failure.js';
import { embeddedModel } from '../checkout.js';

/** Creates calibrated logits of two classes: each label is drawn with the probability that its logits give. */
function calibratedLogits(count: number) {
  const random = seededRandom(7);
  const logits = new Float32Array(2 * count);
  const labels = Array.from({ length: count }, (_, row) => {
    const logOdds = 6 * (random() - 0.5);
    logits[2 * row + 1] = logOdds;
    return random() < 1 / (1 + Math.exp(-logOdds)) ? 1 : 0;
  });
  return { logits, labels };
}

test('calibrated logits have a calibration error near 0; for overconfident ones the temperature is recovered', () => {
  const { logits, labels } = calibratedLogits(20_000);
  const calibrated = calibration(logits, labels, 2);
  assert.ok(calibrated.error < 0.01, String(calibrated.error));
  assert.equal(
    calibrated.bins.reduce((sum, { count }) => sum + count, 0),
    labels.length,
  );
  const overconfident = withTemperature(logits, 1 / 3);
  assert.ok(calibration(overconfident, labels, 2).error > 0.1);
  const temperature = fitTemperature(overconfident, labels, 2);
  assert.ok(Math.abs(temperature - 3) < 0.15, String(temperature));
  assert.ok(calibration(withTemperature(overconfident, temperature), labels, 2).error < 0.01);
});

test('calibration of four predictions with probability 0.8, three of them correct, equals the manual calculation', () => {
  const logOdds = Math.log(4);
  const logits = Float32Array.of(0, logOdds, 0, logOdds, 0, logOdds, 0, logOdds);
  const { bins, error } = calibration(logits, [1, 1, 1, 0], 2, 5);
  assert.equal(bins.length, 1);
  assert.ok(Math.abs(error - 0.05) < 1e-6);
  assert.ok(Math.abs(bins[0]!.accuracy - 0.75) < 1e-9);
});

test('a higher threshold covers fewer reviews; zero coverage is not an error', () => {
  const { logits, labels } = calibratedLogits(5000);
  const rows = coverageByThreshold(logits, labels, 2, [0.5, 0.7, 0.9, 0.9999]);
  assert.equal(rows[0]!.coverage, 1);
  assert.ok(rows[1]!.coverage > rows[2]!.coverage && rows[2]!.accuracy > rows[0]!.accuracy);
  assert.deepEqual(rows[3], { threshold: 0.9999, coverage: 0, accuracy: 1 });
});

test('word associations: words of one class come first and last, a common word is near 0, a rare word is omitted', () => {
  const reviews = Array.from({ length: 60 }, (_, i) => ({
    text: i % 2 ? 'the camera is great' : i === 0 ? 'the camera is awful and odd' : 'the camera is awful',
    label: i % 2,
  }));
  const words = wordAssociations(reviews);
  assert.equal(words[0]!.word, 'awful');
  assert.equal(words.at(-1)!.word, 'great');
  assert.ok(Math.abs(words.find(({ word }) => word === 'camera')!.score) < 0.5);
  assert.ok(!words.some(({ word }) => word === 'odd'));
});

test('the only flipped label is the only doubtful one', () => {
  const reviews = Array.from({ length: 100 }, (_, i) => ({
    text: i % 2 ? `great camera number ${i}` : `awful camera number ${i}`,
    label: i % 2,
  }));
  reviews[50]!.label = 1;
  const { agreement, doubtful } = findLabelNoise(reviews);
  assert.equal(doubtful.length, 1);
  assert.equal(doubtful[0]!.review, 'awful camera number 50');
  assert.ok(Math.abs(agreement - 0.99) < 1e-9);
});

test('mean, standard deviation and Student interval over seeds equal the manual calculation', () => {
  const { mean, standardDeviation, interval } = overSeeds([1, 2, 3]);
  assert.deepEqual([mean, standardDeviation], [2, 1]);
  assert.ok(Math.abs(interval.high - (2 + 4.303 / Math.sqrt(3))) < 1e-9);
  assert.deepEqual(overSeeds([5]).interval, { low: 5, high: 5 });
  assert.throws(() => overSeeds([]), failure(ArgumentError, 'ARGUMENT_NO_VALUES'));
});

test('capability results contain the accuracy and the first misclassified sentence', () => {
  const probes = capabilityProbes();
  const alwaysPositive = capabilityResults(
    probes,
    probes.map(() => 1),
  );
  assert.deepEqual(
    alwaysPositive.map(({ name, accuracy }) => [name, accuracy]),
    [
      ['direct statements', 0.5],
      ['facts without opinion', 0.5],
      ['negated praise', 0],
      ['negated criticism', 1],
      ["contrast with 'but'", 0.5],
      ['misspellings', 0.5],
    ],
  );
  assert.equal(alwaysPositive[3]!.example, '');
  assert.match(alwaysPositive[2]!.example, /is not good/);
});

test("a word's contribution is the change of the log-odds when the word is removed", () => {
  const classifier = TextClassifier.fromFolder(embeddedModel, { precision: 'float32' });
  const { words, label, score } = wordAttribution(classifier, 'It broke twice.');
  assert.deepEqual(
    words.map(({ word }) => word),
    ['It', 'broke', 'twice.'],
  );
  const logOddsOf = (text: string) => {
    const logits = classifier.logits(packTexts(classifier.encode([{ text, label: 0 }]).ids));
    return logits[1]! - logits[0]!;
  };
  const logOdds = logOddsOf('It broke twice.');
  assert.ok(Math.abs(words[1]!.contribution - (logOdds - logOddsOf('It twice.'))) < 1e-4);
  assert.equal(label, logOdds > 0 ? 'positive' : 'negative');
  assert.ok(Math.abs(score - 1 / (1 + Math.exp(-Math.abs(logOdds)))) < 1e-4);
  assert.throws(() => wordAttribution(classifier, '  '), failure(ArgumentError, 'ARGUMENT_NO_TEXT', { text: '  ' }));
  classifier.dispose();
});

test('with three classes, contributions refer to the predicted class', () => {
  const options = { precision: 'float32', labels: ['negative', 'neutral', 'positive'] } as const;
  const classifier = TextClassifier.fromFolder(embeddedModel, { ...options, labels: [...options.labels] });
  const { words, label, score, favored } = wordAttribution(classifier, 'It broke twice.');
  assert.equal(favored, label);
  const [without] = classifier.predict(['It twice.']);
  // The log-odds of the predicted class, if it is predicted for both texts.
  const logOdds = (probability: number) => Math.log(probability / (1 - probability));
  assert.equal(without!.label, label);
  assert.ok(Math.abs(words[1]!.contribution - (logOdds(score) - logOdds(without!.score))) < 1e-4);
  classifier.dispose();
});

test('predictions for a masked token are sorted by score; a text without a mask is an error', () => {
  const model = MaskedLM.fromFolder(embeddedModel);
  const predictions = model.fillMask('The [MASK] broke.', 4);
  assert.equal(predictions.length, 4);
  assert.ok(
    predictions.every(({ token, score }, i) => token !== '' && (i === 0 || score <= predictions[i - 1]!.score)),
  );
  assert.throws(() => model.fillMask('Nothing hidden.'), failure(ArgumentError, 'ARGUMENT_NOT_ONE_MASK', { masks: 0 }));
  model.dispose();
});
