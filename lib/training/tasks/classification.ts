/** Classification: texts with class numbers. */
import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import { evaluate } from '../../evaluation/evaluate.js';
import type { ClassificationMetrics } from '../../evaluation/metrics.js';
import { everyNth, type LabeledBatch } from '../../model/batch.js';
import { crossEntropy } from '../../model/layers.js';
import { batchTensors, type ForwardInputs } from '../../model/model.js';
import { sequenceClassification } from '../../model/sequence-classification.js';
import type { TextClassifier } from '../../model/text-classifier.js';
import type { TrainingSettings } from '../../settings/settings.js';
import { tf } from '../../tensorflow/runtime.js';
import type { StepTask, TrainingTask } from './task.js';

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

/** The task of a classifier; the best evaluation is the one with the highest accuracy. */
export const classificationTask = (
  model: TextClassifier,
  { evalBatchSize }: Pick<TrainingSettings, 'evalBatchSize'>,
): TrainingTask<LabeledBatch, ClassificationMetrics> => ({
  step: classification,
  prepare: (batch) => batch,
  evaluate: async (rows, options) => (await evaluate(model, rows, { batchSize: evalBatchSize, ...options })).metrics,
  score: ({ accuracy }) => accuracy,
  usesInputTokensOnly: true,
  fingerprint: '',
});
