/** Classification: texts with class numbers. */
import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import { ArgumentError } from '../../errors.js';
import { countClasses } from '../../evaluation/count-classes.js';
import { evaluate } from '../../evaluation/evaluate.js';
import type { ClassificationMetrics } from '../../evaluation/metrics.js';
import { selectTexts, type EncodedReviews, type LabeledBatch } from '../../model/batch.js';
import { weightedCrossEntropy } from '../../model/layers.js';
import { batchTensors, type PackedTexts } from '../../model/packed-texts.js';
import { sequenceClassification } from '../../model/sequence-classification.js';
import type { TextClassifier } from '../../model/text-classifier.js';
import type { TrainingSettings } from '../../settings/settings.js';
import { tf } from '../../tensorflow/runtime.js';
import { classWeightsOf, weightsByNumber } from '../class-weights.js';
import type { EvaluationOptions, StepTask, TrainingTask } from './task.js';

/** Packed texts; class numbers, int32, and weights of the texts, [batch]. */
export type ClassificationInputs = PackedTexts & { labels: Tensor1D; weights: Tensor1D };

/**
 * The training step of classification: the mean cross-entropy of the texts, weighted by their classes.
 * @param classWeights by class number; 1 for others
 */
export function weightedClassification(classWeights: number[]): StepTask<LabeledBatch, ClassificationInputs> {
  const weightsOf = ({ labels }: LabeledBatch) => Float32Array.from(labels, (label) => classWeights[label] ?? 1);
  return {
    tensors: (batch, layers) => ({
      ...batchTensors(batch, layers),
      labels: tf.tensor1d(batch.labels, 'int32'),
      weights: tf.tensor1d(weightsOf(batch)),
    }),
    loss(parameters, { labels, weights, ...texts }, { config, engine }, source) {
      const logits = sequenceClassification(parameters, texts, config, { source, ...engine }); // [batch, labels]
      return weightedCrossEntropy(logits, labels, weights) as Scalar;
    },
    weight: (batch) => weightsOf(batch).reduce((sum, weight) => sum + weight, 0),
    select: (batch, rows) => ({
      ...selectTexts(batch, rows),
      labels: Int32Array.from(rows, (row) => batch.labels[row]!),
    }),
  };
}

/** The training step of classification without class weights. */
export const classification = weightedClassification([]);

/** Fraction of correct predictions, with each row weighted by its class; for balanced weights the mean recall. */
function weightedAccuracy({ confusion }: ClassificationMetrics, classWeights: number[]): number {
  const weigh = (rowsOf: (label: number) => number) =>
    classWeights.reduce((sum, weight, label) => sum + weight * rowsOf(label), 0);
  const present = (label: number) => confusion[label]!.reduce((a, b) => a + b, 0);
  return weigh((label) => confusion[label]![label]!) / weigh(present);
}

/**
 * The task of a classifier. The best evaluation is the one with the highest accuracy; with class weights rows count as
 * in the loss, since the plain accuracy hardly depends on a rare class.
 * @throws SettingsError for a weight of a class that the model does not have
 */
export function classificationTask(
  model: TextClassifier,
  { evalBatchSize, classWeights }: Pick<TrainingSettings, 'evalBatchSize' | 'classWeights'>,
): TrainingTask<LabeledBatch, ClassificationMetrics> {
  if (typeof classWeights === 'object') weightsByNumber(classWeights, model.labels);
  const evaluateModel = async (rows: EncodedReviews, options: EvaluationOptions) =>
    (await evaluate(model, rows, { batchSize: evalBatchSize, ...options })).metrics;
  return {
    objective(labels) {
      const weights = classWeightsOf(classWeights, model.labels, () => {
        if (labels) return countClasses(labels, model.labels.length);
        throw new ArgumentError(
          'ARGUMENT_NO_SAMPLE',
          "classWeights is 'balanced', but the stream has no sample by which the classes could be counted. " +
            'Create it with one: new ReviewStream(source, { sample: reviews.train, … }).',
        );
      });
      return {
        step: weights ? weightedClassification(weights) : classification,
        async evaluate(rows, options) {
          const metrics = await evaluateModel(rows, options);
          return { metrics, score: weights ? weightedAccuracy(metrics, weights) : metrics.accuracy };
        },
      };
    },
    evaluate: evaluateModel,
    usesInputTokensOnly: true,
    fingerprint: '',
  };
}
