/** Multi-label classification: texts with all classes that apply. Each logit is that of one class by itself. */
import type { Scalar, Tensor2D } from '@tensorflow/tfjs';
import { evaluateMultiLabel } from '../../evaluation/evaluate-multi-label.js';
import type { MultiLabelMetrics } from '../../evaluation/multi-label-metrics.js';
import { selectTargets, selectTexts, textCount, type LabeledBatch } from '../../model/batch.js';
import { multiLabelLoss } from '../../model/multi-label-loss.js';
import { batchTensors, type PackedTexts } from '../../model/packed-texts.js';
import { sequenceClassification } from '../../model/sequence-classification.js';
import type { TextClassifier } from '../../model/text-classifier.js';
import type { TrainingSettings } from '../../settings/settings.js';
import { tf } from '../../tensorflow/runtime.js';
import type { StepTask, TrainingTask } from './task.js';
import { assertNoClassSettings } from './without-classes.js';

/** Packed texts; 1 for each of their classes, else 0, [batch, classes], float32. */
export type MultiLabelInputs = PackedTexts & { labels: Tensor2D };

/** The training step of multi-label classification: the mean binary cross-entropy. */
export const multiLabelStep: StepTask<LabeledBatch, MultiLabelInputs> = {
  tensors: ({ labels, ...batch }, layers) => ({
    ...batchTensors(batch, layers),
    labels: tf.tensor2d(labels, [textCount(batch), labels.length / textCount(batch)], 'float32'),
  }),
  loss(parameters, { labels, ...texts }, { config, engine }, source) {
    const logits = sequenceClassification(parameters, texts, config, { source, ...engine }); // [batch, classes]
    return multiLabelLoss(logits, labels) as Scalar;
  },
  weight: textCount,
  select: (batch, rows) => ({ ...selectTexts(batch, rows), ...selectTargets(batch, rows, textCount(batch)) }),
};

/**
 * The task of a model that predicts all classes that apply. The best evaluation is the one with the highest micro F1.
 * @throws SettingsError for a setting of a loss over exclusive classes
 */
export function multiLabelTask(
  model: TextClassifier,
  settings: TrainingSettings,
): TrainingTask<LabeledBatch, MultiLabelMetrics> {
  assertNoClassSettings(settings, 'all classes that apply, each by itself');
  const evaluate: TrainingTask<LabeledBatch, MultiLabelMetrics>['evaluate'] = async (rows, options) =>
    (await evaluateMultiLabel(model, rows, { batchSize: settings.evalBatchSize, ...options })).metrics;
  return {
    objective: () => ({
      step: multiLabelStep,
      async evaluate(rows, options) {
        const metrics = await evaluate(rows, options);
        return { metrics, score: metrics.micro.f1 };
      },
    }),
    evaluate,
    usesInputTokensOnly: true,
    fingerprint: '',
  };
}
