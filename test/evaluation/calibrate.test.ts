// Temperature and threshold against scipy and scikit-learn (test/fixtures/calibration.py), their limits, and their use by a model.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { calibrate, fitTemperature, TextClassifier, Trainer } from 'tunebook';
import { ArgumentError, ModelFormatError } from '#lib/errors.js';
import { calibrationEffect, fitCalibration } from '#lib/evaluation/calibrate.js';
import { fitThreshold } from '#lib/evaluation/decision-threshold.js';
import { predictedClass, probabilitiesOf, type ModelCalibration } from '#lib/model/calibration.js';
import { readCalibration, requireCalibration, writeCalibration } from '#lib/model/calibration-file.js';
import { fixtures } from '../checkout.js';
import { writeTinyModel } from '../cli/command.js';
import { failure } from '../failure.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-calibrate-'));
after(() => fs.rmSync(folder, { recursive: true }));

const assertClose = (actual: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, not ${expected}`);

interface Case {
  name: string;
  classes: number;
  labels: number[];
  logits: number[];
  temperature: number;
  bestScore?: number;
  threshold?: number;
}
const { cases } = JSON.parse(fs.readFileSync(path.join(fixtures, 'calibration.json'), 'utf8')) as { cases: Case[] };

test('the temperature is that of L-BFGS-B, the threshold has the best score of TunedThresholdClassifierCV', () => {
  assert.equal(cases.length, 5);
  for (const { name, classes, labels, logits, temperature, bestScore, threshold } of cases) {
    const values = Float32Array.from(logits);
    const fitted = fitCalibration(values, labels, classes);
    assertClose(fitted.temperature / temperature, 1, 2e-4);
    assert.equal(fitted.rows, labels.length);
    const { before, after } = calibrationEffect(values, labels, classes, fitted);
    assert.ok(after.loss < before.loss + 2e-3, `${name}: ${after.loss}, before ${before.loss}`);
    if (classes === 2) {
      assertClose(fitted.threshold!, threshold!, 1e-4);
      assertClose(after.balancedAccuracy, bestScore!, 1e-12);
    } else {
      assert.equal(fitted.threshold, null);
      assert.equal(after.accuracy, before.accuracy, 'a temperature changes no prediction');
    }
  }
});

test('the threshold is the middle of the widest of the best intervals', () => {
  assert.equal(fitThreshold([0.1, 0.3, 0.8, 0.9], [0, 0, 1, 1]), (0.3 + 0.8) / 2);
  // Above 0.2 and above 0.4, three quarters are correct; the interval up to 0.4 is narrower than the one up to 1.
  assert.equal(fitThreshold([0.2, 0.3, 0.4, 0.9], [0, 1, 0, 1]), (0.4 + 0.9) / 2);
  // Equal probabilities cannot be separated: no threshold is better than always predicting the same class.
  assert.equal(fitThreshold([0.5, 0.5, 0.5], [0, 1, 1]), (0 + 1) / 2);
});

test('few or perfectly separated rows: the temperature is bounded, the threshold is left out, or the call is an error', () => {
  const separated = (rows: number, first: number) => {
    const labels = Array.from({ length: rows }, (_, row) => (row < first ? 0 : 1));
    return { labels, logits: Float32Array.from(labels.flatMap((label) => (label ? [-2, 2] : [2, -2]))) };
  };
  const { labels, logits } = separated(200, 100);
  // The loss has its minimum where the probability is that of Platt's targets: 101 / 102.
  assertClose(fitTemperature(logits, labels, 2), 4 / Math.log(101), 1e-3);
  const fit = (rows: number, first: number) => {
    const { labels, logits } = separated(rows, first);
    return fitCalibration(logits, labels, 2);
  };
  assert.equal(fit(200, 100).threshold, 0.5);
  assert.equal(fit(199, 100).threshold, null);
  assert.equal(fit(200, 9).threshold, null);
  assert.notEqual(fit(200, 10).threshold, null);
  assert.throws(() => fit(99, 50), failure(ArgumentError, 'ARGUMENT_TOO_FEW_ROWS', { rows: 99, minimum: 100 }));
  // Logits without information are pushed towards equal probabilities, within the bound.
  const random = Float32Array.from({ length: 400 }, (_, i) => (i % 4 < 2 ? 5 : -5));
  assertClose(
    fitTemperature(
      random,
      Array.from({ length: 200 }, (_, i) => i % 2),
      2,
    ),
    20,
    0.01,
  );
});

test('a threshold decides between two classes; without one the most probable class is predicted', () => {
  const probabilities = probabilitiesOf([2, 0], 'single_label_classification', { temperature: 2 });
  assertClose(probabilities[1]!, 1 / (1 + Math.E), 1e-12);
  assert.deepEqual(predictedClass([0.7, 0.3], { threshold: 0.3 }), { label: 1, score: 0.3 });
  assert.deepEqual(predictedClass([0.7, 0.3], { threshold: 0.31 }), { label: 0, score: 0.7 });
  assert.deepEqual(predictedClass([0.2, 0.3, 0.5], { threshold: null }), { label: 2, score: 0.5 });
});

test('a model stores its calibration, applies it on request, and loses it by training or with other labels', async () => {
  const base = path.join(folder, 'base');
  writeTinyModel(base);
  const model = TextClassifier.fromFolder(base, { precision: 'float32' });
  const reviews = Array.from({ length: 210 }, (_, i) => ({
    text: `${i % 3 ? 'a fine kettle' : 'it broke at once'}, number ${i}`,
    label: i % 3 ? 1 : 0,
  }));
  const texts = reviews.map(({ text }) => text);
  const plain = model.predict(texts);
  assert.throws(() => model.predict(texts, { calibrated: true }), failure(ArgumentError, 'ARGUMENT_NOT_CALIBRATED'));
  const fitted = await calibrate(model, model.encode(reviews));
  assert.deepEqual(model.predict(texts), plain, 'plain predictions do not change');
  const saved = path.join(folder, 'saved');
  model.save(saved);
  const loaded = TextClassifier.fromFolder(saved, { precision: 'float32' });
  assert.deepEqual(loaded.calibration, fitted);
  const balanced = (labels: (string | null)[]) =>
    [0, 1].reduce((sum, label) => {
      const rows = reviews.flatMap((review, row) => (review.label === label ? [row] : []));
      return sum + rows.filter((row) => labels[row] === model.labels[label]).length / rows.length / 2;
    }, 0);
  const labelsOf = (options: { calibrated?: boolean }) => loaded.predict(texts, options).map(({ label }) => label);
  assert.ok(balanced(labelsOf({ calibrated: true })) >= balanced(labelsOf({})));
  loaded.dispose();
  const others = TextClassifier.fromFolder(saved, { labels: ['bad', 'good'] });
  assert.equal(others.calibration, undefined, 'the threshold belongs to other classes');
  others.dispose();

  await new Trainer(model, { maxSteps: 1, batchSize: 4 }).train(reviews.slice(0, 8));
  assert.equal(model.calibration, undefined, 'the parameters have changed');
  model.save(saved);
  assert.ok(!fs.existsSync(path.join(saved, 'calibration.json')), 'the file of the older parameters is removed');
  model.dispose();
});

test('calibration.json: a missing, damaged or newer file is an error with a code', () => {
  const file = path.join(folder, 'calibration.json');
  const calibration: ModelCalibration = { temperature: 1.5, threshold: 0.4, rows: 200 };
  const code = (code: ModelFormatError['code'], message: RegExp) => (error: unknown) => {
    assert.ok(error instanceof ModelFormatError && error.code === code, String(error));
    assert.match(error.message, message);
    return true;
  };
  const config = { id2label: { 0: 'no', 1: 'yes' }, problem_type: 'single_label_classification' } as const;
  assert.equal(readCalibration(folder, 2), undefined);
  assert.throws(() => requireCalibration(folder, config), code('MODEL_NOT_CALIBRATED', /fine-tune again/));
  writeCalibration(folder, calibration);
  assert.deepEqual(requireCalibration(folder, config), calibration);
  assert.throws(() => readCalibration(folder, 3), code('MODEL_FILE_DAMAGED', /threshold, but the model has 3 classes/));
  const content = JSON.parse(fs.readFileSync(file, 'utf8')) as object;
  const rejects = (changed: object | string, expected: ModelFormatError['code'], message: RegExp) => {
    fs.writeFileSync(file, typeof changed === 'string' ? changed : JSON.stringify({ ...content, ...changed }));
    assert.throws(() => readCalibration(folder, 2), code(expected, message));
  };
  rejects('{"temperature": 1', 'MODEL_FILE_DAMAGED', /calibration\.json/);
  rejects({ temperature: 0 }, 'MODEL_FILE_DAMAGED', /temperature/);
  rejects({ threshold: 1.2 }, 'MODEL_FILE_DAMAGED', /threshold/);
  rejects({ rows: undefined }, 'MODEL_FILE_DAMAGED', /rows/);
  rejects({ formatVersion: 2 }, 'MODEL_CONFIG_UNSUPPORTED', /has format 2; this version of Tunebook reads 1/);
});
