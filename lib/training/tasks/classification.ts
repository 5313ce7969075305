/** Classification: texts with class numbers. */
import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import { ArgumentError } from '../../errors.js';
import { countClasses } from '../../evaluation/count-classes.js';
import { evaluate } from '../../evaluation/evaluate.js';
import type { ClassificationMetrics } from '../../evaluation/metrics.js';
import { everyNth, type EncodedReviews, type LabeledBatch } from '../../model/batch.js';
import { crossEntropy, weightedCrossEntropy } from '../../model/layers.js';
import { batchTensors, type ForwardInputs } from '../../model/model.js';
import { sequenceClassification } from '../../model/sequence-classification.js';
import type { TextClassifier } from '../../model/text-classifier.js';
import type { TrainingSettings } from '../../settings/settings.js';
import { tf } from '../../tensorflow/runtime.js';
import { classWeightsOf, weightsByNumber } from '../class-weights.js';
import type { EvaluationOptions, StepTask, TrainingTask } from './task.js';

/** Ids and lengths of the forward pass; labels [batch], int32. */
export type ClassificationInputs = ForwardInputs & { labels: Tensor1D };

/** The training step of classification: the mean cross-entropy of the rows. */
export const classification: StepTask<LabeledBatch, ClassificationInputs> = {
  tensors: (batch) => ({ ...batchTensors(batch), labels: tf.tensor1d(batch.labels, 'int32') }),
  loss(weights, { ids, lengths, labels }, { config, engine }, source) {
    const logits = sequenceClassification(weights, ids, config, { lengths, source, ...engine }); // [batch, labels]
    return crossEntropy(logits, labels) as Scalar;
  },
  weight: ({ batch }) => batch,
  share(batch, rank, n) {
    const found = everyNth(batch, rank, n);
    return found && { ...found.part, labels: Int32Array.from(found.rows, (row) => batch.labels[row]!) };
  },
};

/** Like ClassificationInputs, with the class weight of each row, [batch]. */
export type WeightedInputs = ClassificationInputs & { rowWeights: Tensor1D };

/**
 * The training step of classification with class weights: the weighted mean of the cross-entropy of the rows.
 * @param classWeights by class number
 */
export const weightedClassification = (classWeights: number[]): StepTask<LabeledBatch, WeightedInputs> => {
  const weightsOf = ({ labels }: LabeledBatch) => Float32Array.from(labels, (label) => classWeights[label]!);
  return {
    ...classification,
    tensors: (batch) => ({ ...classification.tensors(batch), rowWeights: tf.tensor1d(weightsOf(batch)) }),
    loss(weights, { ids, lengths, labels, rowWeights }, { config, engine }, source) {
      const logits = sequenceClassification(weights, ids, config, { lengths, source, ...engine }); // [batch, labels]
      return weightedCrossEntropy(logits, labels, rowWeights) as Scalar;
    },
    weight: (batch) => weightsOf(batch).reduce((sum, weight) => sum + weight, 0),
  };
};

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
    prepare: (batch) => batch,
    evaluate: evaluateModel,
    usesInputTokensOnly: true,
    fingerprint: '',
  };
}
