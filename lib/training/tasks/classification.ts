/** Classification: texts with class numbers. */
import type { Scalar, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import { ArgumentError } from '../../errors.js';
import { countClasses } from '../../evaluation/count-classes.js';
import { evaluate } from '../../evaluation/evaluate.js';
import type { ClassificationMetrics } from '../../evaluation/metrics.js';
import { selectTargets, selectTexts, textCount, type EncodedReviews, type LabeledBatch } from '../../model/batch.js';
import {
  classificationLoss,
  distillationLoss,
  type DistillationOptions,
  type LossOptions,
} from '../../model/classification-loss.js';
import { batchTensors, type PackedTexts } from '../../model/packed-texts.js';
import { sequenceClassification } from '../../model/sequence-classification.js';
import type { TextClassifier } from '../../model/text-classifier.js';
import type { TrainingSettings } from '../../settings/settings.js';
import { tf } from '../../tensorflow/runtime.js';
import { classWeightsOf, weightsByNumber } from '../class-weights.js';
import type { EvaluationOptions, StepTask, TrainingTask } from './task.js';

/** Packed texts; their class numbers, [batch], int32; and the logits of the teacher, [batch, classes]. */
export type ClassificationInputs = PackedTexts & { labels: Tensor1D; teacher?: Tensor2D };

type StepOptions = LossOptions & Partial<DistillationOptions>;

/** The loss of a batch: that of the labels, and with a teacher also the one of distillation. */
const lossOf =
  (options: StepOptions): StepTask<LabeledBatch, ClassificationInputs>['loss'] =>
  (parameters, { labels, teacher, ...texts }, { config, engine }, source) => {
    const logits = sequenceClassification(parameters, texts, config, { source, ...engine }); // [batch, classes]
    const loss = classificationLoss(logits, labels, options) as Scalar;
    if (!teacher) return loss;
    const { alpha = 0.5, temperature = 2 } = options;
    const distillation = distillationLoss(logits, teacher, labels, { ...options, temperature });
    return tf.addN<Scalar>([tf.mul(loss, alpha), tf.mul(distillation, 1 - alpha)]);
  };

/** The training step of classification with plain cross-entropy. */
export const classification: StepTask<LabeledBatch, ClassificationInputs> = {
  tensors: ({ labels, teacherLogits, ...batch }, layers) => ({
    ...batchTensors(batch, layers),
    labels: tf.tensor1d(labels, 'int32'),
    ...(teacherLogits && {
      teacher: tf.tensor2d(teacherLogits, [labels.length, teacherLogits.length / labels.length]),
    }),
  }),
  loss: lossOf({}),
  weight: textCount,
  select: (batch, rows) => ({ ...selectTexts(batch, rows), ...selectTargets(batch, rows, textCount(batch)) }),
};

/** The training step of classification with a loss of these options. */
export const classificationStep = (options: StepOptions): typeof classification => ({
  ...classification,
  loss: lossOf(options),
  weight: ({ labels }) => [...labels].reduce((sum, label) => sum + (options.classWeights?.[label] ?? 1), 0),
});

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
  settings: TrainingSettings,
): TrainingTask<LabeledBatch, ClassificationMetrics> {
  const { evalBatchSize, classWeights, labelSmoothingFactor, focalGamma } = settings;
  const { distillationAlpha: alpha, distillationTemperature: temperature } = settings;
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
        step: classificationStep({
          classWeights: weights,
          labelSmoothingFactor,
          focalGamma,
          alpha,
          temperature,
        }),
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
