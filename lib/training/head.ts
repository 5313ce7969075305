/**
 * Fits the classifier of a model on features of its encoder, see linear-classifier.ts. The encoder is not changed.
 */
import { ReviewsError } from '../errors.js';
import { computeRows, type EvaluateOptions } from '../evaluation/compute-rows.js';
import { countClasses } from '../evaluation/count-classes.js';
import { fitLinearClassifier } from '../evaluation/linear-classifier.js';
import type { EncodedBatch, EncodedReviews } from '../model/batch.js';
import { familyOf } from '../model/families.js';
import { textFeatures } from '../model/features.js';
import { captureOptions, readWeights, restoreParameters } from '../model/model.js';
import { batchTensors, divideInputs, type PackedTexts } from '../model/packed-texts.js';
import type { Weights } from '../model/tensor-operations.js';
import type { TextClassifier } from '../model/text-classifier.js';
import type { TrainingSettings } from '../settings/settings.js';
import { tensorFunction } from '../tensorflow/function.js';
import { tf } from '../tensorflow/runtime.js';
import { classWeightsOf } from './class-weights.js';
import type { EvaluationOptions } from './tasks/task.js';

/**
 * Checks that each class has training rows.
 * @throws ReviewsError if one has none
 */
export function assertAllClasses({ labels: names }: TextClassifier, rows: EncodedReviews): void {
  const empty = countClasses(rows.labels, names.length).indexOf(0);
  if (empty >= 0)
    throw new ReviewsError(
      'REVIEWS_CLASS_NOT_TRAINED',
      `None of the ${rows.labels.length} training reviews has the class ${names[empty]}. Logistic regression needs at least one of each class: label or sample more reviews.`,
      { label: names[empty], rows: rows.labels.length },
    );
}

/**
 * Computes the features of texts, without dropout.
 * @param options batches, interruption, and the processes that each compute part of the texts
 * @returns [n * dim], row by row
 */
export async function computeFeatures(
  model: TextClassifier,
  rows: EncodedReviews,
  options: EvaluateOptions = {},
): Promise<Float32Array> {
  const { config, engine } = model;
  const forward = tensorFunction(
    (inputs: PackedTexts & Weights) => {
      const { texts, others: prepared } = divideInputs<Weights>(inputs);
      return { features: textFeatures({ ...readWeights(model), ...prepared }, texts, config, engine) };
    },
    { name: 'the features', ...captureOptions(engine) },
  );
  const featuresOf = (batch: EncodedBatch, prepared: Weights) => {
    const inputs = batchTensors(batch, engine.layers);
    const { features } = forward.call({ ...inputs, ...prepared });
    const data = features.dataSync<'float32'>();
    tf.dispose([inputs, features]);
    return data;
  };
  try {
    return await computeRows(model, rows, config.dim, featuresOf, options);
  } finally {
    forward.dispose();
  }
}

/**
 * Fits the classifier.
 * @param rows training rows, of all classes
 * @param settings class weights, and texts per batch
 * @param options interruption, and the processes that compute features together
 */
export async function fitHead(
  model: TextClassifier,
  rows: EncodedReviews,
  { classWeights, evalBatchSize }: Pick<TrainingSettings, 'classWeights' | 'evalBatchSize'>,
  options: EvaluationOptions = {},
): Promise<void> {
  const { config, labels } = model;
  const { dim } = config;
  const features = await computeFeatures(model, rows, { batchSize: evalBatchSize, ...options });
  const weightOf = classWeightsOf(classWeights, labels, () => countClasses(rows.labels, labels.length));
  const { weight, bias } = fitLinearClassifier(features, rows.labels, labels.length, weightOf);
  const { classifier } = familyOf(config);
  restoreParameters(
    model,
    new Map([
      [`${classifier}.weight`, { shape: [labels.length, dim], data: weight }],
      [`${classifier}.bias`, { shape: [labels.length], data: bias }],
    ]),
  );
  const fitted = ['weight', 'bias'].map((kind) => model.parameters.get(`${classifier}.${kind}`)!);
  options.ranks?.copyFromChief(fitted);
}
