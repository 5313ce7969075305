/** Parity of a training step of texts with transformers, for the fixtures of test/fixtures/reference.py: loss, gradients and 20 steps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectTexts, type LabeledBatch } from '#lib/model/batch.js';
import { composedLayers } from '#lib/model/composed-layers.js';
import { fusedLayers } from '#lib/model/fused-layers.js';
import type { Layers } from '#lib/model/layers.js';
import { restoreParameters } from '#lib/model/model.js';
import type { TextClassifier } from '#lib/model/text-classifier.js';
import { learningRateFactor } from '#lib/optim/schedule.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import type { StepTask } from '#lib/training/tasks/task.js';
import { gradientsDiffer, packPadded, unpack, type Packed } from '../checkout.js';

/** A model of a fixture: a padded batch, the head, and what transformers computes. */
interface ReferenceModel {
  inputIds: number[];
  lengths: number[];
  labels: number[];
  head: Record<string, Packed>;
  logits: number[];
  loss: number;
  gradients: Record<string, Packed>;
  norm: number;
  losses: number[];
}

/** The models of a fixture, and their training. */
export interface StepReference {
  curve: { weightDecay: number; learningRate: number; warmupSteps: number; steps: number };
  models: Record<'tiny' | 'electra', ReferenceModel>;
}

/** @param tolerance relative */
export const isClose = (actual: number, reference: number, tolerance = 1e-5) =>
  assert.ok(Math.abs(actual - reference) < tolerance * Math.abs(reference), `${actual} against ${reference}`);

/** Gives a model the head of the fixture. */
export const restoreHead = (model: TextClassifier, { head }: ReferenceModel) =>
  restoreParameters(
    model,
    new Map(Object.entries(head).map(([key, value]) => [key, { shape: value.shape, data: unpack(value) }])),
  );

/** The batch of the fixture. */
export const batchOf = ({ inputIds, lengths, labels }: ReferenceModel): LabeledBatch => ({
  ...packPadded(inputIds, lengths),
  labels: Float32Array.from(labels),
});

/** The rows of the fixture as token ids and labels. */
export function rowsOf(model: ReferenceModel) {
  const batch = batchOf(model);
  return { ids: [0, 1, 2, 3].map((row) => selectTexts(batch, [row]).inputIds), labels: batch.labels };
}

/**
 * Defines the tests of a step.
 * @param modelOf loads a model with the head of the fixture
 */
export function testStep(
  { curve, models }: StepReference,
  task: StepTask<LabeledBatch>,
  modelOf: (name: keyof StepReference['models'], layers?: Layers) => TextClassifier,
): void {
  for (const name of ['tiny', 'electra'] as const) {
    for (const [implementation, layers] of Object.entries({ fused: fusedLayers, composed: composedLayers }))
      test(`${name}, ${implementation} layers: loss and all gradients are those of transformers`, () => {
        const model = modelOf(name, layers);
        const { loss, gradients } = lossAndGradients(model, task, task.tensors(batchOf(models[name]), layers));
        isClose(loss.dataSync()[0]!, models[name].loss);
        const { parameter, difference } = gradientsDiffer(gradients, models[name].gradients);
        assert.ok(difference < 1e-4, `${parameter}: ${difference}`);
        model.dispose();
      });

    test(`${name}: the losses of 20 training steps are those of transformers`, async () => {
      const model = modelOf(name);
      const step = new TrainingStep(model, task, { weightDecay: curve.weightDecay });
      for (const [i, loss] of models[name].losses.entries()) {
        const rate = curve.learningRate * learningRateFactor(i, curve.steps, curve.warmupSteps, 'linear');
        isClose((await step.run([batchOf(models[name])], rate)).loss, loss, 1e-4);
      }
      step.dispose();
      model.dispose();
    });
  }
}
