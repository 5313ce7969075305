/**
 * Classification with few labels: SetFit (Tunstall et al., 2022, arXiv:2209.11055), which trains the encoder on pairs of
 * texts, whose features become similar if they have the same class, and then fits the classifier on the features; and
 * the classifier alone, on features of the encoder as it is. The procedure is that of the Python package `setfit` 1.2.
 */
import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import { countPairs, pairBatches, selectPairs, type PairBatch } from '../../batching/pairs.js';
import { ArgumentError, SettingsError } from '../../errors.js';
import { countClasses } from '../../evaluation/count-classes.js';
import type { ClassificationMetrics } from '../../evaluation/metrics.js';
import { familyOf } from '../../model/families.js';
import { isFeatureHead, textFeatures } from '../../model/features.js';
import { cosineSimilarityLoss } from '../../model/layers.js';
import { batchTensors, type PackedTexts } from '../../model/packed-texts.js';
import type { TextClassifier } from '../../model/text-classifier.js';
import { settingText } from '../../settings/setting-text.js';
import type { TrainingSettings } from '../../settings/settings.js';
import { tf } from '../../tensorflow/runtime.js';
import { assertAllClasses, fitHead } from '../head.js';
import { classificationTask } from './classification.js';
import type { EvaluationOptions, StepTask, TrainingTask } from './task.js';

/** Packed texts, the row numbers of each pair's texts, int32, and targets; [pairs]. */
export type PairInputs = PackedTexts & Record<'first' | 'second' | 'targets', Tensor1D>;

/** Maximum number of pairs of an epoch: those of about 1,000 reviews, with which an epoch already takes 31,000 steps. */
const maxPairs = 500_000;

/** The training step of SetFit: the mean squared error of the cosine similarities of pairs. */
export const contrastive: StepTask<PairBatch, PairInputs> = {
  tensors: ({ targets, ...batch }, layers) => ({
    ...batchTensors(batch, layers),
    first: tf.tensor1d(Int32Array.from(targets.keys()), 'int32'),
    second: tf.tensor1d(
      Int32Array.from(targets.keys(), (pair) => targets.length + pair),
      'int32',
    ),
    targets: tf.tensor1d(targets),
  }),
  loss(parameters, { first, second, targets, ...texts }, { config, engine }, source) {
    const features = textFeatures(parameters, texts, config, { source, ...engine }); // [batch, dim]
    const { hidden } = familyOf(config);
    return cosineSimilarityLoss(features, { first, second, targets }, hidden?.shift ?? 0) as Scalar;
  },
  weight: ({ targets }) => targets.length,
  select: selectPairs,
};

/**
 * The task of a classifier with few labels. An evaluation fits the classifier, so that it evaluates what training would
 * return. The best one is selected as by full fine-tuning.
 * @throws ArgumentError if the model was loaded for another method, SettingsError as classificationTask does
 */
export function setfitTask(
  model: TextClassifier,
  settings: TrainingSettings,
): TrainingTask<PairBatch, ClassificationMetrics> {
  const { method, seed } = settings;
  if (model.method !== method)
    throw new ArgumentError(
      'ARGUMENT_METHOD_MISMATCH',
      `The Trainer has the method '${method}', but the model was loaded for '${model.method}'. Load it with TextClassifier.load(name, { method: '${method}' }).`,
      { method, loaded: model.method },
    );
  const classification = classificationTask(model, settings);
  return {
    objective(labels, rows) {
      if (!rows)
        throw new SettingsError(
          'SETTING_CONFLICT',
          `The method ${method} needs all training reviews at once, but they are a stream. Pass them as a list.`,
          { names: ['method', 'streaming'] },
        );
      assertAllClasses(model, rows);
      const count = countPairs(countClasses(rows.labels, model.labels.length));
      if (method === 'setfit' && count > maxPairs)
        throw new SettingsError(
          'SETFIT_TOO_MANY_PAIRS',
          `setfit forms ${count} pairs of ${rows.labels.length} training reviews, more than ${maxPairs}. It is meant for 4 to 64 labels per class. Use fewer reviews (${settingText('maxTrainSamples', '500')}) or full fine-tuning (${settingText('method', 'full')}).`,
          { pairs: count, rows: rows.labels.length },
        );
      const full = classification.objective(labels);
      const finish = (options: EvaluationOptions) => fitHead(model, rows, settings, options);
      return {
        step: contrastive,
        examples: { count, batches: (options, from) => pairBatches(rows, options, from) },
        async evaluate(validation, options) {
          await finish(options);
          return full.evaluate(validation, options);
        },
        finish,
      };
    },
    trains: (name) => !isFeatureHead(name, model.config),
    evaluate: (validation, options) => classification.evaluate(validation, options),
    usesInputTokensOnly: true,
    fingerprint: `${method}, seed ${seed}`,
  };
}
