// Parity with Hugging Face transformers on PyTorch: the first test, not the last. Fixtures by test/fixtures/make.py.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { TextClassifier, type ClassifierOptions } from '#lib/model/text-classifier.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { castTo } from '#lib/tensorflow/kernels.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import type { LabelledBatch } from '#lib/model/batch.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { fixtures, reference, relativeDifference, unpack } from '../checkout.js';

const expected = reference();
const batch: LabelledBatch = {
  inputIds: Int32Array.from(expected.inputIds),
  lengths: Int32Array.from({ length: expected.batch }, (_, row) =>
    expected.attentionMask.slice(row * expected.tokens, (row + 1) * expected.tokens).reduce((a, b) => a + b),
  ),
  labels: Int32Array.from(expected.labels),
  batch: expected.batch,
  tokens: expected.tokens,
};
const tiny = (options: ClassifierOptions = {}) =>
  TextClassifier.fromFolder(path.join(fixtures, 'tiny'), { precision: 'float32', ...options });

const makings = { fused: fusedLayers, composed: composedLayers };

for (const [making, layers] of Object.entries(makings)) {
  test(`${making} layers: logits of a padded batch`, () => {
    const model = tiny({ layers });
    const difference = relativeDifference(model.logits(batch), unpack(expected.logits));
    assert.ok(difference < 1e-5, String(difference));
    model.dispose();
  });

  test(`${making} layers: loss and the gradient of every parameter, with padding in the batch`, () => {
    const model = tiny({ layers });
    const { loss: scalar, gradients } = lossAndGradients(model, classification, classification.tensors(batch));
    const [loss] = scalar.dataSync() as unknown as [number];
    assert.ok(Math.abs(loss - expected.loss) / expected.loss < 1e-5, `${loss} against ${expected.loss}`);
    assert.deepEqual([...gradients.keys()].sort(), Object.keys(expected.gradients).sort());
    // A key's bias shifts every score of a row alike, so softmax leaves it a gradient of 0 but for rounding.
    const size = Math.max(
      ...Object.values(expected.gradients).flatMap((packed) => Array.from(unpack(packed), Math.abs)),
    );
    for (const [name, gradient] of gradients) {
      const found = gradient.dataSync();
      const wanted = unpack(expected.gradients[name]!);
      if (name.endsWith('k_lin.bias')) assert.ok(Math.max(...Array.from(found, Math.abs)) < 1e-5 * size, name);
      else assert.ok(relativeDifference(found, wanted) < 1e-4, `${name}: ${relativeDifference(found, wanted)}`);
      gradient.dispose();
    }
    model.dispose();
  });
}

/** The cosine of the angle between two lists of numbers. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

// The bounds are what 8 and 11 bits of precision leave, and that something was rounded at all.
for (const [precision, making, most, least] of [
  ['bfloat16', 'fused', 0.03, 1e-4],
  ['bfloat16', 'composed', 0.03, 1e-4],
  ['float16', 'composed', 0.004, 1e-5],
] as const)
  test(`in ${precision} by ${making} layers the logits are near, and the gradients point the same way`, () => {
    const model = tiny({ precision, layers: makings[making] });
    const difference = relativeDifference(model.logits(batch), unpack(expected.logits));
    assert.ok(difference < most && difference > least, String(difference));
    const { gradients } = lossAndGradients(model, classification, classification.tensors(batch));
    for (const [name, gradient] of gradients) {
      if (name.endsWith('k_lin.bias')) continue;
      const alike = cosine(castTo(gradient, 'float32').dataSync(), unpack(expected.gradients[name]!));
      assert.ok(alike > 0.99, `${name}: ${alike}`);
    }
    tf.dispose([...gradients.values()]);
    model.dispose();
  });

for (const fused of [true, false])
  test(`one clipped AdamW step, ${fused ? 'by the fused kernel' : "by TensorFlow's kernels"}`, () => {
    const model = tiny({ layers: fused ? fusedLayers : composedLayers });
    model.engine.fused = fused;
    const { learningRate, weightDecay, maxGradNorm, norm, parameters } = expected.adamw;
    // The reference step was taken without dropout.
    Object.assign(model.config, { dropout: 0, attention_dropout: 0, seq_classif_dropout: 0 });
    const step = new TrainingStep(model, classification, { weightDecay, maxGradNorm });
    const { gradNorm } = step.run([batch], learningRate);
    assert.ok(Math.abs(gradNorm - norm) / norm < 1e-5);
    for (const [name, parameter] of model.parameters) {
      // Adam's first step is the gradient's sign: where the gradient is rounding (see above), so is the step.
      if (name.endsWith('k_lin.bias')) continue;
      const difference = relativeDifference(parameter.data(), unpack(parameters[name]!));
      assert.ok(difference < 1e-4, `${name}: ${difference}`);
    }
    step.dispose();
    model.dispose();
  });

test('the loss curve of 100 steps, and no tensor left behind', () => {
  const model = tiny();
  Object.assign(model.config, { dropout: 0, attention_dropout: 0, seq_classif_dropout: 0 });
  const { learningRate, weightDecay, warmupSteps, batches, losses } = expected.curve;
  const trainingStep = new TrainingStep(model, classification, { weightDecay });
  let tensors = 0;
  for (const [step, { inputIds, labels }] of batches.entries()) {
    const { loss } = trainingStep.run(
      [
        {
          inputIds: Int32Array.from(inputIds),
          lengths: Int32Array.from(labels, () => inputIds.length / labels.length),
          labels: Int32Array.from(labels),
          batch: labels.length,
          tokens: inputIds.length / labels.length,
        },
      ],
      learningRate * learningRateFactor(step, batches.length, warmupSteps, 'linear'),
    );
    assert.ok(
      Math.abs(loss - losses[step]!) < 2e-3 * Math.max(1, losses[step]!),
      `step ${step}: ${loss} against ${losses[step]}`,
    );
    if (step === 0) tensors = tf.memory().numTensors;
  }
  assert.equal(tf.memory().numTensors, tensors);
  trainingStep.dispose();
  model.dispose();
});
