/**
 * Losses of classification: class weights and label smoothing equal those of torch.nn.CrossEntropyLoss, also in training
 * and with accumulated gradients; focal loss equals PyTorch's autograd; balanced weights equal scikit-learn's.
 * test/fixtures/classification_loss.py writes the fixture.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Scalar } from '@tensorflow/tfjs';
import { ReviewStream } from '#lib/batching/stream.js';
import { ArgumentError, SettingsError } from '#lib/errors.js';
import { packTexts, selectTexts, type LabeledBatch } from '#lib/model/batch.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { classificationLoss, distillationLoss, type LossOptions } from '#lib/model/classification-loss.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import type { ClassWeights } from '#lib/settings/class-weights.js';
import { openReviews } from '#lib/reviews/open-reviews.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { trainingSettings } from '#lib/settings/settings.js';
import { balancedWeights } from '#lib/evaluation/count-classes.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { classificationStep, classificationTask } from '#lib/training/tasks/classification.js';
import { Trainer } from '#lib/training/trainer.js';
import {
  embeddedModel,
  fixtures,
  gradientsDiffer,
  packPadded,
  reference,
  referenceLengths,
  relativeDifference,
  unpack,
} from '../checkout.js';
import { failure } from '../failure.js';
import type { Packed } from '../checkout.js';

const expected = JSON.parse(fs.readFileSync(path.join(fixtures, 'classification-loss.json'), 'utf8')) as {
  fiveClasses: {
    weights: number[];
    labels: number[];
    logits: Packed;
    teacher: Packed;
    losses: Record<string, { loss: number; gradient: Packed }>;
  };
  tiny: { weights: number[]; loss: number; gradients: Record<string, Packed>; norm: number; losses: number[] };
  balanced: { counts: number[]; weights: number[] }[];
};
const { inputIds, labels, curve } = reference();
const rows = labels.length;
const batch: LabeledBatch = {
  ...packPadded(inputIds, referenceLengths(reference())),
  labels: Int32Array.from(labels),
};
/** Token ids of each text of the batch. */
const texts = Array.from({ length: rows }, (_, row) => selectTexts(batch, [row]).inputIds);
const weighted = classificationStep({ classWeights: expected.tiny.weights });
const tiny = (layers = fusedLayers) =>
  TextClassifier.fromFolder(path.join(fixtures, 'tiny'), { precision: 'float32', layers });
const isClose = (actual: number, reference: number, tolerance = 1e-5) =>
  assert.ok(Math.abs(actual - reference) < tolerance * reference, `${actual} against ${reference}`);

const lossOptions: Record<string, LossOptions> = {
  weighted: {},
  smoothed: { labelSmoothingFactor: 0.15 },
  focal: { focalGamma: 2 },
  flatFocal: { focalGamma: 0.5 },
};
for (const [name, options] of Object.entries(lossOptions))
  test(`the ${name} loss of five classes and its gradient are PyTorch's`, () => {
    const { weights, labels, logits, losses } = expected.fiveClasses;
    const { value, grad } = tf.valueAndGrad(
      (logits) =>
        classificationLoss(logits, tf.tensor1d(labels, 'int32'), { classWeights: weights, ...options }) as Scalar,
    )(tf.tensor(unpack(logits), logits.shape));
    isClose(value.dataSync()[0]!, losses[name]!.loss);
    assert.ok(relativeDifference(grad.dataSync(), unpack(losses[name]!.gradient)) < 1e-5);
  });

test("the loss of distillation at temperature 3 and its gradient are PyTorch's", () => {
  const { weights, labels, logits, teacher, losses } = expected.fiveClasses;
  const options = { classWeights: weights, temperature: 3 };
  const { value, grad } = tf.valueAndGrad((logits) => {
    const teacherLogits = tf.tensor(unpack(teacher), teacher.shape);
    return distillationLoss(logits, teacherLogits, tf.tensor1d(labels, 'int32'), options) as Scalar;
  })(tf.tensor(unpack(logits), logits.shape));
  isClose(value.dataSync()[0]!, losses['distilled']!.loss);
  assert.ok(relativeDifference(grad.dataSync(), unpack(losses['distilled']!.gradient)) < 1e-5);
});

test('a model learns the predictions of its teacher, also where the labels differ', async () => {
  const teacherLogits = Float32Array.from(texts.flatMap((_, i) => (i % 2 ? [-2, 2] : [2, -2])));
  const wrong = Int32Array.from(texts, (_, i) => 1 - (i % 2));
  const predictedAs = async (distillationAlpha: number) => {
    const model = tiny();
    const settings = { distillationAlpha, learningRate: 0.02, batchSize: 2, epochs: 30, warmupSteps: 0 };
    await new Trainer(model, settings).train({ ids: texts, labels: wrong, teacherLogits });
    const logits = texts.map((ids) => model.logits(packTexts([ids])));
    model.dispose();
    return logits.map(([first, second]) => (second! > first! ? 1 : 0));
  };
  assert.deepEqual(await predictedAs(0), [0, 1, 0, 1]);
  assert.deepEqual(await predictedAs(1), [1, 0, 1, 0]);
  const model = tiny();
  await assert.rejects(
    new Trainer(model).train({ ids: texts, labels: wrong, teacherLogits: teacherLogits.slice(1) }),
    failure(ArgumentError, 'ARGUMENT_SHAPE_MISMATCH', { expected: [4, 2] }),
  );
  model.dispose();
});

test('the focal loss of a row that is predicted with certainty is 0, and its gradient finite', () => {
  const { value, grad } = tf.valueAndGrad(
    (logits) => classificationLoss(logits, tf.tensor1d([0], 'int32'), { focalGamma: 0.5 }) as Scalar,
  )(tf.tensor2d([[60, -60]]));
  assert.equal(value.dataSync()[0], 0);
  assert.ok(grad.dataSync().every(Number.isFinite));
});

test('focal loss and label smoothing together are an error', () => {
  assert.throws(
    () => trainingSettings({ focalGamma: 2, labelSmoothingFactor: 0.1 }),
    failure(SettingsError, 'SETTING_CONFLICT', { names: ['labelSmoothingFactor', 'focalGamma'] }),
  );
});

for (const [implementation, layers] of Object.entries({ fused: fusedLayers, composed: composedLayers }))
  test(`${implementation} layers: loss and all gradients of a model are PyTorch's`, () => {
    const model = tiny(layers);
    const { loss, gradients } = lossAndGradients(model, weighted, weighted.tensors(batch, layers));
    isClose(loss.dataSync()[0]!, expected.tiny.loss);
    const { parameter, difference } = gradientsDiffer(gradients, expected.tiny.gradients);
    assert.ok(difference < 1e-5, `${parameter}: ${difference}`);
    model.dispose();
  });

test('batches of any division, accumulated, have the loss and the gradient norm of one batch', async () => {
  const part = (indices: number[]): LabeledBatch => weighted.select(batch, indices);
  // The classes of the four rows are 1, 0, 0, 1, so that the parts have weights of 3.4 and 3.4; 6.4 and 0.4; 3, 0.8 and 3.
  for (const division of [
    [[0, 1, 2, 3]],
    [
      [0, 1],
      [2, 3],
    ],
    [[0, 1, 3], [2]],
    [[0], [1, 2], [3]],
  ]) {
    const model = tiny();
    const step = new TrainingStep(model, weighted, { accumulates: true });
    const { loss, gradNorm } = await step.run(division.map(part), 1e-3);
    isClose(loss, expected.tiny.loss);
    isClose(gradNorm, expected.tiny.norm);
    step.dispose();
    model.dispose();
  }
});

test("the losses of 20 training steps are PyTorch's", async () => {
  const model = tiny();
  const step = new TrainingStep(model, weighted, { weightDecay: curve.weightDecay });
  for (const [i, loss] of expected.tiny.losses.entries()) {
    const { inputIds, labels } = curve.batches[i]!;
    const actual = await step.run(
      [
        {
          ...packPadded(
            inputIds,
            labels.map(() => inputIds.length / labels.length),
          ),
          labels: Int32Array.from(labels),
        },
      ],
      curve.learningRate * learningRateFactor(i, curve.batches.length, curve.warmupSteps, 'linear'),
    );
    isClose(actual.loss, loss, 1e-3);
  }
  step.dispose();
  model.dispose();
});

test("balanced weights are scikit-learn's; a class without rows does not change the others", () => {
  for (const { counts, weights } of expected.balanced) {
    assert.ok(relativeDifference(balancedWeights(counts), weights) < 1e-12);
    assert.deepEqual(balancedWeights([...counts, 0]).slice(0, -1), balancedWeights(counts));
  }
});

test('the Trainer counts the classes, uses weights by name, and rejects a name that is not a class', async () => {
  const data = { ids: texts, labels: Int32Array.from([1, 0, 0, 0]) };
  const firstLoss = async (classWeights: ClassWeights) => {
    const model = tiny();
    const { records } = await new Trainer(model, { classWeights, maxSteps: 1 }).train(data);
    model.dispose();
    return records[0]!.loss;
  };
  const [none, balanced] = [await firstLoss('none'), await firstLoss('balanced')];
  assert.ok(Math.abs(none - balanced) > 1e-3);
  // The mean depends on the ratio of the weights only.
  isClose(await firstLoss({ positive: 3 }), balanced);
  isClose(await firstLoss({ negative: 2, positive: 2 }), none);
  const model = tiny();
  assert.throws(
    () => new Trainer(model, { classWeights: { Positive: 3 } }),
    failure(SettingsError, 'CLASS_WEIGHT_UNKNOWN', { class: 'Positive', labels: ['negative', 'positive'] }),
  );
  model.dispose();
});

test('with class weights, rows count as their class weighs for the best evaluation; metrics are unweighted', async () => {
  const model = tiny();
  const data = { ids: texts, labels: batch.labels };
  const evaluateWith = (classWeights: ClassWeights) =>
    classificationTask(model, trainingSettings({ evalBatchSize: 3, classWeights }))
      .objective(data.labels)
      .evaluate(data, {});
  const unweighted = await evaluateWith('none');
  const [[right], [, positives]] = unweighted.metrics.confusion as [[number, number], [number, number]];
  // Two rows of each class, of which not all are predicted correctly.
  assert.ok(right !== positives);
  assert.equal(unweighted.score, unweighted.metrics.accuracy);
  const weighted = await evaluateWith({ negative: 3 });
  isClose(weighted.score, (3 * right + positives) / (3 * 2 + 2));
  assert.deepEqual(weighted.metrics, unweighted.metrics);
  model.dispose();
});

test('balanced weights of a stream are those of its sample; without a sample they are an error', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tunebook-test-'));
  const file = path.join(folder, 'reviews.csv');
  const reviews = Array.from({ length: 40 }, (_, i) => ({ text: `review number ${i}`, label: i % 4 === 0 ? 0 : 1 }));
  fs.writeFileSync(file, `text,label\n${reviews.map(({ text, label }) => `${text},${label}`).join('\n')}\n`);
  const source = await openReviews(file, { streaming: true });
  const model = TextClassifier.fromFolder(embeddedModel, {
    precision: 'float32',
    labels: source.labelNames,
    maxLength: 16,
  });
  Object.assign(model.config, { dropout: 0, attention_dropout: 0, seq_classif_dropout: 0 });
  const train = async (classWeights: ClassWeights, sample?: typeof reviews) => {
    const stream = new ReviewStream(source, { model, maxLength: 16, workers: 1, ...(sample && { sample }) });
    try {
      // A learning rate that does not change the model.
      const settings = { classWeights, maxSteps: 1, batchSize: 40, learningRate: 1e-12 };
      return (await new Trainer(model, settings).train(stream)).records[0]!.loss;
    } finally {
      await stream.dispose();
    }
  };
  try {
    // In the sample, one row of ten is of class 0; in the file, one of four.
    const sampled = await train('balanced', [reviews[0]!, ...reviews.filter(({ label }) => label === 1).slice(0, 9)]);
    isClose(sampled, await train({ negative: 9, positive: 1 }));
    assert.ok(Math.abs(sampled - (await train({ negative: 3, positive: 1 }))) > 1e-4);
    await assert.rejects(train('balanced'), failure(ArgumentError, 'ARGUMENT_NO_SAMPLE'));
  } finally {
    model.dispose();
    fs.rmSync(folder, { recursive: true });
  }
});
