/** Parity of DistilBERT with Hugging Face transformers on PyTorch. test/fixtures/make.py writes the fixtures. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { TextClassifier, type ClassifierOptions } from '#lib/model/text-classifier.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import { castTo } from '#lib/tensorflow/kernels.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import type { LabeledBatch } from '#lib/model/batch.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';
import { fixtures, packPadded, reference, referenceLengths, relativeDifference, unpack } from '../checkout.js';

const expected = reference();
const batch: LabeledBatch = {
  ...packPadded(expected.inputIds, referenceLengths(expected)),
  labels: Int32Array.from(expected.labels),
};
const tiny = (options: ClassifierOptions = {}) =>
  TextClassifier.fromFolder(path.join(fixtures, 'tiny'), { precision: 'float32', ...options });

const implementations = { fused: fusedLayers, composed: composedLayers };

for (const [implementation, layers] of Object.entries(implementations)) {
  test(`${implementation} layers: logits of packed texts match the reference`, () => {
    const model = tiny({ layers });
    const difference = relativeDifference(model.logits(batch), unpack(expected.logits));
    assert.ok(difference < 1e-5, String(difference));
    model.dispose();
  });

  test(`${implementation} layers: loss and all gradients of packed texts match the reference`, () => {
    const model = tiny({ layers });
    const result = lossAndGradients(model, classification, classification.tensors(batch, layers));
    const { gradients } = result;
    const loss = result.loss.dataSync()[0]!;
    assert.ok(Math.abs(loss - expected.loss) / expected.loss < 1e-5, `${loss} against ${expected.loss}`);
    assert.deepEqual([...gradients.keys()].sort(), Object.keys(expected.gradients).sort());
    // The key bias adds one value to all scores of a row, which softmax ignores: its gradient is only rounding error.
    const largest = Math.max(
      ...Object.values(expected.gradients).flatMap((packed) => Array.from(unpack(packed), Math.abs)),
    );
    for (const [name, gradient] of gradients) {
      const actual = gradient.dataSync();
      const reference = unpack(expected.gradients[name]!);
      if (name.endsWith('k_lin.bias')) assert.ok(Math.max(...Array.from(actual, Math.abs)) < 1e-5 * largest, name);
      else assert.ok(relativeDifference(actual, reference) < 1e-4, `${name}: ${relativeDifference(actual, reference)}`);
      gradient.dispose();
    }
    model.dispose();
  });
}

/** Cosine similarity of two vectors. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

// Upper bounds for 8 and 11 bits of precision. The lower bounds show that values were rounded at all.
for (const [precision, implementation, max, min] of [
  ['bfloat16', 'fused', 0.03, 1e-4],
  ['bfloat16', 'composed', 0.03, 1e-4],
  ['float16', 'composed', 0.004, 1e-5],
] as const)
  test(`${precision}, ${implementation} layers: logits and gradient directions are close to the reference`, () => {
    const model = tiny({ precision, layers: implementations[implementation] });
    const difference = relativeDifference(model.logits(batch), unpack(expected.logits));
    assert.ok(difference < max && difference > min, String(difference));
    const { gradients } = lossAndGradients(model, classification, classification.tensors(batch, model.engine.layers));
    for (const [name, gradient] of gradients) {
      if (name.endsWith('k_lin.bias')) continue;
      const similarity = cosine(castTo(gradient, 'float32').dataSync(), unpack(expected.gradients[name]!));
      assert.ok(similarity > 0.99, `${name}: ${similarity}`);
    }
    tf.dispose([...gradients.values()]);
    model.dispose();
  });

for (const fused of [true, false])
  test(`a clipped AdamW step with ${fused ? 'the fused kernel' : "TensorFlow's kernels"} matches the reference`, async () => {
    const model = tiny({ layers: fused ? fusedLayers : composedLayers });
    model.engine.fused = fused;
    const { learningRate, weightDecay, maxGradNorm, norm, parameters } = expected.adamw;
    // The reference step was taken without dropout.
    Object.assign(model.config, { dropout: 0, attention_dropout: 0, seq_classif_dropout: 0 });
    const step = new TrainingStep(model, classification, { weightDecay, maxGradNorm });
    const { gradNorm } = await step.run([batch], learningRate);
    assert.ok(Math.abs(gradNorm - norm) / norm < 1e-5);
    for (const [name, parameter] of model.parameters) {
      // Adam's first step is the sign of the gradient, which is arbitrary if the gradient is only rounding error.
      if (name.endsWith('k_lin.bias')) continue;
      const difference = relativeDifference(parameter.data(), unpack(parameters[name]!));
      assert.ok(difference < 1e-4, `${name}: ${difference}`);
    }
    step.dispose();
    model.dispose();
  });

test('the losses of 100 training steps match the reference, and no tensors leak', async () => {
  const model = tiny();
  Object.assign(model.config, { dropout: 0, attention_dropout: 0, seq_classif_dropout: 0 });
  const { learningRate, weightDecay, warmupSteps, batches, losses } = expected.curve;
  const trainingStep = new TrainingStep(model, classification, { weightDecay });
  let tensors = 0;
  for (const [step, { inputIds, labels }] of batches.entries()) {
    const { loss } = await trainingStep.run(
      [
        {
          ...packPadded(
            inputIds,
            labels.map(() => inputIds.length / labels.length),
          ),
          labels: Int32Array.from(labels),
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
