// Parity with Hugging Face transformers on PyTorch: the first test, not the last. Fixtures by test/fixtures/make.py.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { loadClassifier, predictLogits } from 'tunebook/model/classifier.js';
import { composedLayers } from 'tunebook/model/composed-layers.js';
import { fusedLayers } from 'tunebook/model/fused-layers.js';
import { tf } from 'tunebook/tensorflow/runtime.js';
import { AdamW, clipFactor } from 'tunebook/training/adamw.js';
import { learningRateFactor } from 'tunebook/training/schedule.js';
import { lossAndGradients, type LabelledBatch } from 'tunebook/training/step.js';
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
const tiny = () => loadClassifier(path.join(fixtures, 'tiny'), { precision: 'float32' });

const makings = { fused: fusedLayers, composed: composedLayers };

for (const [making, layers] of Object.entries(makings)) {
  test(`${making} layers: logits of a padded batch`, () => {
    const model = tiny();
    const difference = relativeDifference(predictLogits(model, batch, layers), unpack(expected.logits));
    assert.ok(difference < 1e-5, String(difference));
    model.dispose();
  });

  test(`${making} layers: loss and the gradient of every parameter, with padding in the batch`, () => {
    const model = tiny();
    const { loss, gradients } = lossAndGradients(model, batch, undefined, 1, layers);
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

test('in bfloat16 the logits are near, the gradients point the same way, and the parameters stay float32', () => {
  const model = loadClassifier(path.join(fixtures, 'tiny'), { precision: 'bfloat16' });
  const logits = predictLogits(model, batch);
  const difference = relativeDifference(logits, unpack(expected.logits));
  assert.ok(difference < 0.03 && difference > 1e-5, String(difference));
  const { gradients } = lossAndGradients(model, batch);
  for (const [name, gradient] of gradients) {
    assert.equal(gradient.dtype, 'float32');
    if (name.endsWith('k_lin.bias')) continue;
    const [found, wanted] = [gradient.dataSync<'float32'>(), unpack(expected.gradients[name]!)];
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    const cosine = dot(found, wanted) / Math.sqrt(dot(found, found) * dot(wanted, wanted));
    assert.ok(cosine > 0.99, `${name}: ${cosine}`);
  }
  tf.dispose([...gradients.values()]);
  model.dispose();
});

test('one clipped AdamW step', () => {
  const model = tiny();
  const { learningRate, weightDecay, maxGradNorm, norm, parameters } = expected.adamw;
  const optimizer = new AdamW(model.parameters, { weightDecay });
  const { gradients } = lossAndGradients(model, batch);
  const clipped = clipFactor(gradients, maxGradNorm);
  assert.ok(Math.abs(clipped.norm - norm) / norm < 1e-5);
  optimizer.step(gradients, learningRate, clipped.factor);
  for (const [name, parameter] of model.parameters) {
    // Adam's first step is the gradient's sign: where the gradient is rounding (see above), so is the step.
    if (name.endsWith('k_lin.bias')) continue;
    const difference = relativeDifference(parameter.data(), unpack(parameters[name]!));
    assert.ok(difference < 1e-4, `${name}: ${difference}`);
  }
  tf.dispose([...gradients.values()]);
  optimizer.dispose();
  model.dispose();
});

test('the loss curve of 100 steps, and no tensor left behind', () => {
  const model = tiny();
  const { learningRate, weightDecay, warmupSteps, batches, losses } = expected.curve;
  const optimizer = new AdamW(model.parameters, { weightDecay });
  let tensors = 0;
  for (const [step, { inputIds, labels }] of batches.entries()) {
    const { loss, gradients } = lossAndGradients(model, {
      inputIds: Int32Array.from(inputIds),
      lengths: Int32Array.from(labels, () => inputIds.length / labels.length),
      labels: Int32Array.from(labels),
      batch: labels.length,
      tokens: inputIds.length / labels.length,
    });
    assert.ok(
      Math.abs(loss - losses[step]!) < 2e-3 * Math.max(1, losses[step]!),
      `step ${step}: ${loss} against ${losses[step]}`,
    );
    const { factor } = clipFactor(gradients, 1);
    optimizer.step(gradients, learningRate * learningRateFactor(step, batches.length, warmupSteps, 'linear'), factor);
    tf.dispose([...gradients.values()]);
    if (step === 0) tensors = tf.memory().numTensors;
  }
  assert.equal(tf.memory().numTensors, tensors);
  optimizer.dispose();
  model.dispose();
});
