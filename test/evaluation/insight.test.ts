// What the notebooks say of a model and of its data: calibration, thresholds, words that tell, doubtful labels, single abilities.
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
import { padBatch } from '#lib/model/batch.js';
import { seededRandom } from '#lib/reviews/random.js';
import { failure } from '../failure.js';
import { embeddedModel } from '../checkout.js';

/** Logits of two classes whose probabilities are true: the label is drawn by them. */
function honestLogits(count: number) {
  const random = seededRandom(7);
  const logits = new Float32Array(2 * count);
  const labels = Array.from({ length: count }, (_, row) => {
    const odds = 6 * (random() - 0.5);
    logits[2 * row + 1] = odds;
    return random() < 1 / (1 + Math.exp(-odds)) ? 1 : 0;
  });
  return { logits, labels };
}

test('calibration: honest logits have hardly an error, exaggerated ones do, and the temperature is found', () => {
  const { logits, labels } = honestLogits(20_000);
  const honest = calibration(logits, labels, 2);
  assert.ok(honest.error < 0.01, String(honest.error));
  assert.equal(
    honest.bins.reduce((sum, { count }) => sum + count, 0),
    labels.length,
  );
  const exaggerated = withTemperature(logits, 1 / 3);
  assert.ok(calibration(exaggerated, labels, 2).error > 0.1);
  const temperature = fitTemperature(exaggerated, labels, 2);
  assert.ok(Math.abs(temperature - 3) < 0.15, String(temperature));
  assert.ok(calibration(withTemperature(exaggerated, temperature), labels, 2).error < 0.01);
});

test('calibration by hand: four verdicts at 0.8, three of them right', () => {
  const odds = Math.log(4);
  const { bins, error } = calibration(Float32Array.of(0, odds, 0, odds, 0, odds, 0, odds), [1, 1, 1, 0], 2, 5);
  assert.equal(bins.length, 1);
  assert.ok(Math.abs(error - 0.05) < 1e-6);
  assert.ok(Math.abs(bins[0]!.accuracy - 0.75) < 1e-9);
});

test('a higher threshold judges fewer, and none at all is no error', () => {
  const { logits, labels } = honestLogits(5000);
  const rows = coverageByThreshold(logits, labels, 2, [0.5, 0.7, 0.9, 0.9999]);
  assert.equal(rows[0]!.coverage, 1);
  assert.ok(rows[1]!.coverage > rows[2]!.coverage && rows[2]!.accuracy > rows[0]!.accuracy);
  assert.deepEqual(rows[3], { threshold: 0.9999, coverage: 0, accuracy: 1 });
});

test('words that tell: a word of one class leads, an even one is near 0, a rare one is left out', () => {
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

test('a label that was turned on purpose is the one most in doubt', () => {
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

test('several seeds: mean, deviation and Student interval by hand', () => {
  const { mean, standardDeviation, interval } = overSeeds([1, 2, 3]);
  assert.deepEqual([mean, standardDeviation], [2, 1]);
  assert.ok(Math.abs(interval.high - (2 + 4.303 / Math.sqrt(3))) < 1e-9);
  assert.deepEqual(overSeeds([5]).interval, { low: 5, high: 5 });
  assert.throws(() => overSeeds([]), failure(ArgumentError, 'ARGUMENT_NO_VALUES'));
});

test('abilities: each has both the share that was shown and a sentence that was not', () => {
  const probes = capabilityProbes();
  const always = capabilityResults(
    probes,
    probes.map(() => 1),
  );
  assert.deepEqual(
    always.map(({ name, accuracy }) => [name, accuracy]),
    [
      ['plain words', 0.5],
      ['facts, no judgement', 0.5],
      ['praise denied', 0],
      ['fault denied', 1],
      ['mixed, last word counts', 0.5],
      ['misspelt', 0.5],
    ],
  );
  assert.equal(always[3]!.example, '');
  assert.match(always[2]!.example, /is not good/);
});

test("a word's contribution is what leaving it out does to the log-odds", () => {
  const classifier = TextClassifier.fromFolder(embeddedModel, { precision: 'float32' });
  const { words, label, score } = wordAttribution(classifier, 'It broke twice.');
  assert.deepEqual(
    words.map(({ word }) => word),
    ['It', 'broke', 'twice.'],
  );
  const oddsOf = (text: string) => {
    const logits = classifier.logits(padBatch(classifier.encode([{ text, label: 0 }]), [0]));
    return logits[1]! - logits[0]!;
  };
  const whole = oddsOf('It broke twice.');
  assert.ok(Math.abs(words[1]!.contribution - (whole - oddsOf('It twice.'))) < 1e-4);
  assert.equal(label, whole > 0 ? 'positive' : 'negative');
  assert.ok(Math.abs(score - 1 / (1 + Math.exp(-Math.abs(whole)))) < 1e-4);
  assert.throws(() => wordAttribution(classifier, '  '), failure(ArgumentError, 'ARGUMENT_NO_TEXT', { text: '  ' }));
  classifier.dispose();
});

test('guesses for a hidden word are sorted, and exactly one word may be hidden', () => {
  const model = MaskedLM.fromFolder(embeddedModel);
  const guesses = model.fillMask('The [MASK] broke.', 4);
  assert.equal(guesses.length, 4);
  assert.ok(guesses.every(({ token, score }, i) => token !== '' && (i === 0 || score <= guesses[i - 1]!.score)));
  assert.throws(() => model.fillMask('Nothing hidden.'), failure(ArgumentError, 'ARGUMENT_NOT_ONE_MASK', { masks: 0 }));
  model.dispose();
});
