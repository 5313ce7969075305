/** What a model computes in training, for the comparison of tfjs's backends with TensorFlow's library. */
import { composedLayers } from '#lib/model/composed-layers.js';
import type { LabeledBatch } from '#lib/model/batch.js';
import { parameterValues } from '#lib/model/model.js';
import type { StoredTensor } from '#lib/model/safetensors.js';
import { TextClassifier } from '#lib/model/text-classifier.js';
import { tf } from '#lib/tensorflow/runtime.js';
import { lossAndGradients, TrainingStep } from '#lib/training/step.js';
import { classification } from '#lib/training/tasks/classification.js';

/** A model and its packed batches, as JSON. */
export interface Case {
  name: string;
  folder: string;
  batches: { inputIds: number[]; offsets: number[]; labels: number[] }[];
  steps: number;
}

const batchOf = ({ inputIds, offsets, labels }: Case['batches'][number]): LabeledBatch => ({
  inputIds: Int32Array.from(inputIds),
  offsets: Int32Array.from(offsets),
  labels: Int32Array.from(labels),
});

/** Logits and gradients of the first batch without dropout; losses and parameters of training with the dropout of the model. */
export async function trainingResults({ folder, batches, steps }: Case): Promise<Map<string, StoredTensor>> {
  const results = new Map<string, StoredTensor>();
  const store = (name: string, data: Float32Array, shape = [data.length]) => results.set(name, { shape, data });
  const model = TextClassifier.fromFolder(folder, { precision: 'float32', layers: composedLayers });
  const batch = batchOf(batches[0]!);
  store('logits', model.logits(batch));
  tf.tidy(() => {
    const { gradients } = lossAndGradients(model, classification, classification.tensors(batch, composedLayers));
    for (const [name, gradient] of gradients) store(`gradient ${name}`, gradient.dataSync<'float32'>());
    return [];
  });
  const step = new TrainingStep(model, classification, {
    weightDecay: 0.01,
    texts: batches.map(({ inputIds }) => Int32Array.from(inputIds)),
  });
  const losses: { loss: number; gradNorm: number }[] = [];
  for (let i = 0; i < steps; i++) losses.push(await step.run([batchOf(batches[i % batches.length]!)], 1e-4));
  store(
    'losses',
    Float32Array.from(losses, ({ loss }) => loss),
  );
  store(
    'norms',
    Float32Array.from(losses, ({ gradNorm }) => gradNorm),
  );
  step.sync();
  for (const [name, { shape, data }] of parameterValues(model)) store(`parameter ${name}`, data, shape);
  step.dispose();
  model.dispose();
  return results;
}
