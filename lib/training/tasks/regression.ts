/** Regression: texts with numbers, such as ratings. The model predicts the number as its only logit. */
import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import { SettingsError } from '../../errors.js';
import { evaluateRegression } from '../../evaluation/evaluate-regression.js';
import type { RegressionMetrics } from '../../evaluation/regression-metrics.js';
import { selectTargets, selectTexts, textCount, type LabeledBatch } from '../../model/batch.js';
import { batchTensors, type PackedTexts } from '../../model/packed-texts.js';
import { regressionLoss } from '../../model/regression-loss.js';
import { sequenceClassification } from '../../model/sequence-classification.js';
import type { TextClassifier } from '../../model/text-classifier.js';
import { settingText } from '../../settings/setting-text.js';
import type { TrainingSettings } from '../../settings/settings.js';
import { tf } from '../../tensorflow/runtime.js';
import type { StepTask, TrainingTask } from './task.js';

/** Packed texts; their numbers, [batch], float32. */
export type RegressionInputs = PackedTexts & { labels: Tensor1D };

/** The training step of regression: the mean squared error. */
export const regressionStep: StepTask<LabeledBatch, RegressionInputs> = {
  tensors: ({ labels, ...batch }, layers) => ({
    ...batchTensors(batch, layers),
    labels: tf.tensor1d(labels, 'float32'),
  }),
  loss(parameters, { labels, ...texts }, { config, engine }, source) {
    const logits = sequenceClassification(parameters, texts, config, { source, ...engine }); // [batch, 1]
    return regressionLoss(logits, labels) as Scalar;
  },
  weight: textCount,
  select: (batch, rows) => ({ ...selectTexts(batch, rows), ...selectTargets(batch, rows) }),
};

/**
 * The task of a model that predicts a number. The best evaluation is the one with the lowest loss.
 * @throws SettingsError for a setting of classification
 */
export function regressionTask(
  model: TextClassifier,
  { evalBatchSize, classWeights, labelSmoothingFactor, focalGamma, method }: TrainingSettings,
): TrainingTask<LabeledBatch, RegressionMetrics> {
  const ofClasses = {
    // First, since other methods have other default class weights.
    method: method !== 'full',
    classWeights: classWeights !== 'none',
    labelSmoothingFactor: labelSmoothingFactor > 0,
    focalGamma: focalGamma > 0,
  };
  for (const name of Object.keys(ofClasses) as (keyof typeof ofClasses)[])
    if (ofClasses[name])
      throw new SettingsError(
        'SETTING_CONFLICT',
        `${settingText(name)} is set, but the model predicts a number and has no classes. Remove it.`,
        { names: [name, 'problemType'] },
      );
  const evaluate: TrainingTask<LabeledBatch, RegressionMetrics>['evaluate'] = async (rows, options) =>
    (await evaluateRegression(model, rows, { batchSize: evalBatchSize, ...options })).metrics;
  return {
    objective: () => ({
      step: regressionStep,
      async evaluate(rows, options) {
        const metrics = await evaluate(rows, options);
        return { metrics, score: -metrics.loss };
      },
    }),
    prepare: (batch) => batch,
    evaluate,
    usesInputTokensOnly: true,
    fingerprint: '',
  };
}
