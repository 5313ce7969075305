/**
 * Masked-language modeling: the model predicts masked tokens of the texts, and learns their domain (Gururangan et al., 2020,
 * arXiv:2004.10964). Labels are ignored.
 */
import type { Scalar } from '@tensorflow/tfjs';
import { maskBatch, selectMasked, type MaskedBatch } from '../../batching/masking.js';
import {
  evaluateMasked,
  maskedTensors,
  type MaskedInputs,
  type MaskedMetrics,
} from '../../evaluation/evaluate-masked.js';
import { weightedCrossEntropy } from '../../model/layers.js';
import { maskedLanguageModel } from '../../model/masked-language-model.js';
import type { MaskedLM } from '../../model/masked-lm.js';
import type { TrainingSettings } from '../../settings/settings.js';
import type { StepTask, TrainingTask } from './task.js';

/** The training step of masked-language modeling: the mean cross-entropy of the masked tokens. */
export const maskedLanguageModeling: StepTask<MaskedBatch, MaskedInputs> = {
  tensors: maskedTensors,
  loss(parameters, { masked, targets, weights, ...texts }, { config, engine }, source) {
    const logits = maskedLanguageModel(parameters, texts, masked, config, { source, ...engine }); // [n, vocabulary]
    return weightedCrossEntropy(logits, targets, weights) as Scalar;
  },
  weight: ({ targets }) => targets.length,
  select: selectMasked,
};

/** The task of a masked-language model; the best evaluation is the one with the lowest loss. */
export function maskedTask(
  model: MaskedLM,
  { evalBatchSize, mlmProbability, wholeWordMask, seed }: TrainingSettings,
): TrainingTask<MaskedBatch, MaskedMetrics> {
  const masking = { probability: mlmProbability, wholeWords: wholeWordMask };
  const evaluate: TrainingTask<MaskedBatch, MaskedMetrics>['evaluate'] = (rows, options) =>
    evaluateMasked(model, rows, { batchSize: evalBatchSize, ...masking, ...options });
  return {
    objective: () => ({
      step: maskedLanguageModeling,
      async evaluate(rows, options) {
        const metrics = await evaluate(rows, options);
        return { metrics, score: -metrics.loss };
      },
    }),
    prepare: (batch, { epoch, block, batch: index }) =>
      maskBatch(batch, model.vocabulary, masking, seed, epoch, block, index),
    evaluate,
    usesInputTokensOnly: false,
    fingerprint: JSON.stringify(masking),
  };
}
