/** Regression: texts with numbers, such as ratings. The model predicts the number as its only logit. */
import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import { evaluateRegression } from '../../evaluation/evaluate-regression.js';
import type { RegressionMetrics } from '../../evaluation/regression-metrics.js';
import { selectTargets, selectTexts, textCount, type LabeledBatch } from '../../model/batch.js';
import { batchTensors, type PackedTexts } from '../../model/packed-texts.js';
import { regressionLoss } from '../../model/regression-loss.js';
import { sequenceClassification } from '../../model/sequence-classification.js';
import type { TextClassifier } from '../../model/text-classifier.js';
import type { TrainingSettings } from '../../settings/settings.js';
import { tf } from '../../tensorflow/runtime.js';
import type { StepTask, TrainingTask } from './task.js';
import { assertNoClassSettings } from './without-classes.js';

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
  select: (batch, rows) => ({ ...selectTexts(batch, rows), ...selectTargets(batch, rows, textCount(batch)) }),
};

/**
 * The task of a model that predicts a number. The best evaluation is the one with the lowest loss.
 * @throws SettingsError for a setting of classification
 */
export function regressionTask(
  model: TextClassifier,
  settings: TrainingSettings,
): TrainingTask<LabeledBatch, RegressionMetrics> {
  assertNoClassSettings(settings, 'a number and has no classes');
  const evaluate: TrainingTask<LabeledBatch, RegressionMetrics>['evaluate'] = async (rows, options) =>
    (await evaluateRegression(model, rows, { batchSize: settings.evalBatchSize, ...options })).metrics;
  return {
    objective: () => ({
      step: regressionStep,
      async evaluate(rows, options) {
        const metrics = await evaluate(rows, options);
        return { metrics, score: -metrics.loss };
      },
    }),
    evaluate,
    usesInputTokensOnly: true,
    fingerprint: '',
  };
}
