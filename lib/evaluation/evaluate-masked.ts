/** Evaluation of a masked-language model: how well it predicts masked tokens. */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { maskBatch, type MaskedBatch, type MaskingOptions } from '../batching/masking.js';
import { singleProcess, partOfRank, type Ranks } from '../distributed/ranks.js';
import { evaluationBatches, type EncodedReviews } from '../model/batch.js';
import type { Weights } from '../model/encoder.js';
import { maskedLanguageModel } from '../model/masked-language-model.js';
import type { MaskedLM } from '../model/masked-lm.js';
import { batchTensors, prepareWeights, readWeights, type ForwardInputs } from '../model/model.js';
import { tensorFunction } from '../tensorflow/function.js';
import { sparseCrossEntropy } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';

/** How well masked tokens are predicted. */
export interface MaskedMetrics {
  /** Number of masked tokens. */
  count: number;
  /** Mean cross-entropy per masked token, natural logarithm. */
  loss: number;
  /** exp(loss). */
  perplexity: number;
  /** Fraction of masked tokens that are predicted correctly. */
  accuracy: number;
}

/** Ids and lengths of the forward pass; positions, targets and weights [n], see MaskedBatch. */
export type MaskedInputs = ForwardInputs & { positions: Tensor1D; targets: Tensor1D; weights: Tensor1D };

/** A masked batch as tensors; the caller disposes of them. */
export const maskedTensors = (batch: MaskedBatch): MaskedInputs => ({
  ...batchTensors(batch),
  positions: tf.tensor1d(batch.positions, 'int32'),
  targets: tf.tensor1d(batch.targets, 'int32'),
  weights: tf.tensor1d(batch.weights),
});

/** Seed of the masks, so that every model predicts the same tokens. */
const maskSeed = 0x5eed;

/**
 * Evaluates a masked-language model. The masked tokens depend on the texts and the batch size only.
 * @param texts labels are ignored
 * @param options batches, and which tokens are masked, see MaskingOptions
 * @param options.batchSize @default 64
 * @param options.tick awaited between batches; may throw to interrupt
 * @param options.ranks that evaluate together, each its share of the batches. @default this process only
 */
export async function evaluateMasked(
  model: MaskedLM,
  texts: EncodedReviews,
  {
    batchSize = 64,
    tick,
    ranks = singleProcess,
    ...masking
  }: { batchSize?: number; tick?: () => Promise<void>; ranks?: Ranks } & MaskingOptions = {},
): Promise<MaskedMetrics> {
  const { config, engine } = model;
  const forward = tensorFunction(
    ({ ids, lengths, positions, targets, weights, ...prepared }: MaskedInputs & Weights) => {
      const all = { ...readWeights(model), ...prepared };
      const logits = maskedLanguageModel(all, ids, positions, config, { ...(lengths && { lengths }), ...engine });
      const { losses } = sparseCrossEntropy(logits, targets);
      const correct = tf.cast(tf.equal(tf.argMax(logits, -1), targets), 'float32');
      return { loss: tf.sum(tf.mul(losses, weights)), correct: tf.sum(tf.mul(correct, weights)) };
    },
    { name: 'the masked-LM pass', eager: engine.eager, jitCompile: engine.jitCompile === true },
  );
  const prepared = prepareWeights(model);
  const sums = { count: 0, loss: 0, correct: 0 };
  try {
    for (const [i, batch] of partOfRank(ranks, [...evaluationBatches(texts, batchSize, model.maxTokens).entries()])) {
      const masked = maskBatch(batch, model.vocabulary, masking, maskSeed, i);
      const inputs = maskedTensors(masked);
      const results = forward.call({ ...inputs, ...prepared });
      sums.count += masked.masked;
      sums.loss += results.loss.dataSync()[0]!;
      sums.correct += results.correct.dataSync()[0]!;
      tf.dispose([...Object.values(inputs), results.loss, results.correct] as Tensor[]);
      await tick?.();
    }
  } finally {
    tf.dispose(prepared);
    forward.dispose();
  }
  const all = ranks.exchange(sums);
  const [count, loss, correct] = (['count', 'loss', 'correct'] as const).map((name) =>
    all.reduce((sum, each) => sum + each[name], 0),
  ) as [number, number, number];
  return { count, loss: loss / count, perplexity: Math.exp(loss / count), accuracy: correct / count };
}
