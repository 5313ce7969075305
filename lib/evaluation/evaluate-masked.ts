/** Evaluation of a masked-language model: how well it predicts masked tokens. */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { maskBatch, type MaskedBatch, type MaskingOptions } from '../batching/masking.js';
import { singleProcess, partOfRank } from '../distributed/ranks.js';
import { evaluationBatches, type EncodedReviews } from '../model/batch.js';
import type { Weights } from '../model/tensor-operations.js';
import { maskedLanguageModel } from '../model/masked-language-model.js';
import type { MaskedLM } from '../model/masked-lm.js';
import type { Layers } from '../model/layers.js';
import { captureOptions, prepareWeights, readWeights } from '../model/model.js';
import { batchTensors, divideInputs, type PackedTexts } from '../model/packed-texts.js';
import { tensorFunction } from '../tensorflow/function.js';
import { sparseCrossEntropy } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';
import type { EvaluateOptions } from './compute-rows.js';

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

/** Packed texts; indices of the tokens to predict, their ids, and weights: 1, and 0 for padding; [n]. */
export type MaskedInputs = PackedTexts & { masked: Tensor1D; targets: Tensor1D; weights: Tensor1D };

/**
 * A masked batch as tensors; the caller disposes of them. The number of tokens to predict is rounded up to one that nearly
 * all batches of this size have, see roundTokens.
 */
export function maskedTensors(batch: MaskedBatch, layers: Layers): MaskedInputs {
  const texts = batchTensors(batch, layers);
  const { positions, targets } = batch;
  const multiple = layers.anyShape ? 16 : Math.max(16, texts.ids.shape[0] / 4);
  const count = Math.max(1, Math.ceil(targets.length / multiple)) * multiple;
  const pad = (list: Int32Array) => {
    const padded = new Int32Array(count);
    padded.set(list);
    return tf.tensor1d(padded, 'int32');
  };
  return {
    ...texts,
    masked: pad(positions),
    targets: pad(targets),
    weights: tf.tensor1d(new Float32Array(count).fill(1, 0, targets.length)),
  };
}

/** Seed of the masks, so that every model predicts the same tokens. */
const maskSeed = 0x5eed;

/**
 * Evaluates a masked-language model. The masked tokens depend on the texts and the batch size only.
 * @param texts labels are ignored
 * @param options batches, and which tokens are masked, see MaskingOptions
 */
export async function evaluateMasked(
  model: MaskedLM,
  texts: EncodedReviews,
  { batchSize = 64, tick, ranks = singleProcess, ...masking }: EvaluateOptions & MaskingOptions = {},
): Promise<MaskedMetrics> {
  const { config, engine } = model;
  const forward = tensorFunction(
    (inputs: MaskedInputs & Weights) => {
      const { texts, others } = divideInputs<Omit<MaskedInputs, keyof PackedTexts> & Weights>(inputs);
      const { masked, targets, weights, ...prepared } = others;
      const logits = maskedLanguageModel({ ...readWeights(model), ...prepared }, texts, masked, config, engine);
      const { losses } = sparseCrossEntropy(logits, targets);
      const correct = tf.cast(tf.equal(tf.argMax(logits, -1), targets), 'float32');
      return { loss: tf.sum(tf.mul(losses, weights)), correct: tf.sum(tf.mul(correct, weights)) };
    },
    { name: 'the masked-LM pass', ...captureOptions(engine) },
  );
  const prepared = prepareWeights(model);
  const sums = { count: 0, loss: 0, correct: 0 };
  try {
    for (const [i, batch] of partOfRank(ranks, [...evaluationBatches(texts, batchSize, model.maxTokens).entries()])) {
      const masked = maskBatch(batch, model.vocabulary, masking, maskSeed, i);
      const inputs = maskedTensors(masked, engine.layers);
      const results = forward.call({ ...inputs, ...prepared });
      sums.count += masked.targets.length;
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
