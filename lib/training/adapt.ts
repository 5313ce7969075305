/**
 * Domain adaptation: a model reads texts of the kind it will judge, guessing hidden tokens (Gururangan et al., 2020,
 * arXiv:2004.10964). The same training loop as for classification, on another task.
 */
import { createHash } from 'node:crypto';
import type { Scalar, Tensor, Tensor1D } from '@tensorflow/tfjs';
import { ArgumentError } from '../errors.js';
import { maxTokens } from '../model/config.js';
import { maskedLanguageModel } from '../model/masked-language-model.js';
import { saveMaskedModel, type MaskedModel } from '../model/masked-model.js';
import { batchTensors, prepareWeights, readWeights, type ForwardInputs } from '../model/model.js';
import type { Weights } from '../model/encoder.js';
import { weightedCrossEntropy } from '../model/layers.js';
import { tensorFunction } from '../tensorflow/function.js';
import { sparseCrossEntropy } from '../tensorflow/kernels.js';
import { alone, ownOf, type Ranks } from '../distributed/ranks.js';
import { tf } from '../tensorflow/runtime.js';
import { evaluationBatches, trainingBatches, type EncodedReviews } from '../batching/batches.js';
import { ReviewStream } from '../batching/stream.js';
import {
  everyNthMasked,
  maskBatch,
  type MaskedBatch,
  type MaskingOptions,
  type MaskingVocabulary,
} from '../batching/masking.js';
import { trainedParameters } from './freeze.js';
import {
  batchesInMemory,
  beginTogether,
  runTraining,
  type CheckpointOptions,
  type RanksOption,
  type TrainingResult,
} from './loop.js';
import type { MaskedMetrics } from '../evaluation/masked-metrics.js';
import type { TrainingTask } from './task.js';
import { batchesOfStream, fingerprintOf, longestOf } from './train.js';
import { trainingSettings, type TrainingSettings } from '../settings/settings.js';
import type { TrainingRecord } from './training-record.js';

/** Ids and lengths as the forward pass takes them; positions, targets and weights [n], see MaskedBatch. */
export type MaskedInputs = ForwardInputs & { positions: Tensor1D; targets: Tensor1D; weights: Tensor1D };

/** Hidden tokens to words: the mean cross-entropy over the tokens that were hidden. */
export const maskedLanguageModelling: TrainingTask<MaskedBatch, MaskedInputs> = {
  tensors: (batch) => ({
    ...batchTensors(batch),
    positions: tf.tensor1d(batch.positions, 'int32'),
    targets: tf.tensor1d(batch.targets, 'int32'),
    weights: tf.tensor1d(batch.weights),
  }),
  loss(weights, { ids, lengths, positions, targets, weights: counts }, { config, engine }, source) {
    const logits = maskedLanguageModel(weights, ids, positions, config, { lengths, source, ...engine });
    return weightedCrossEntropy(logits, targets, counts) as Scalar;
  },
  weight: ({ masked }) => masked,
  share: everyNthMasked,
};

/** Seeds of what is hidden once and for all, to be guessed by every model the same. */
const fixedMasks = 0x5eed;

/**
 * How well a model guesses hidden tokens of texts. Which are hidden follows from the texts and the batch size alone.
 * @param texts their labels are not looked at
 * @param vocabulary of maskingVocabulary
 * @param options how they are batched, and which tokens are hidden, see MaskingOptions
 * @param options.batchSize default 64
 * @param options.tick awaited between batches; may throw to interrupt
 * @param options.ranks who guesses together: each takes its share of the batches. Default: this process alone
 */
export async function evaluateMasked(
  model: MaskedModel,
  texts: EncodedReviews,
  vocabulary: MaskingVocabulary,
  {
    batchSize = 64,
    tick,
    ranks = alone,
    ...masking
  }: { batchSize?: number; tick?: (() => Promise<void>) | undefined; ranks?: Ranks } & MaskingOptions = {},
): Promise<MaskedMetrics> {
  const { config, engine } = model;
  const forward = tensorFunction(
    ({ ids, lengths, positions, targets, weights, ...prepared }: MaskedInputs & Weights) => {
      const all = { ...readWeights(model), ...prepared };
      const logits = maskedLanguageModel(all, ids, positions, config, { ...(lengths && { lengths }), ...engine });
      const { losses } = sparseCrossEntropy(logits, targets);
      const right = tf.cast(tf.equal(tf.argMax(logits, -1), targets), 'float32');
      return { loss: tf.sum(tf.mul(losses, weights)), right: tf.sum(tf.mul(right, weights)) };
    },
    { name: 'the guessing pass', eager: engine.eager, jitCompile: engine.jitCompile === true },
  );
  const prepared = prepareWeights(model);
  const sums = { count: 0, loss: 0, right: 0 };
  try {
    for (const [i, batch] of ownOf(ranks, [...evaluationBatches(texts, batchSize, maxTokens(config)).entries()])) {
      const masked = maskBatch(batch, vocabulary, masking, fixedMasks, i);
      const inputs = maskedLanguageModelling.tensors(masked);
      const results = forward.call({ ...inputs, ...prepared });
      sums.count += masked.masked;
      sums.loss += results.loss.dataSync()[0]!;
      sums.right += results.right.dataSync()[0]!;
      tf.dispose([...Object.values(inputs), results.loss, results.right] as Tensor[]);
      await tick?.();
    }
  } finally {
    tf.dispose(prepared);
    forward.dispose();
  }
  const all = ranks.exchange(sums);
  const [count, loss, right] = (['count', 'loss', 'right'] as const).map((name) =>
    all.reduce((sum, each) => sum + each[name], 0),
  ) as [number, number, number];
  return { count, loss: loss / count, perplexity: Math.exp(loss / count), accuracy: right / count };
}

/**
 * Adapts a masked-language model in place. The best look at the validation texts is the one with the lowest loss.
 * @param data what to read, and what to look at meanwhile
 * @param data.train texts to read, whole in memory or streamed; their labels are not looked at
 * @param data.validation looked at every evalSteps updates, or after each epoch, with the same tokens hidden each time
 * @param vocabulary of maskingVocabulary
 * @param options who watches, and where checkpoints go
 * @param options.arguments see TrainingSettings; what is left out has its default
 * @param options.masking see MaskingOptions
 * @param options.onRecord called after each update
 * @param options.signal ends training after the current update
 * @param options.tokenizerFolder where the tokenizer's files are, which belong to a checkpoint
 * @param options.ranks who trains together, see train
 * @throws SettingsError for invalid training arguments, before training starts
 * @throws DivergedError when the loss is not a number; the parameters are those of the step before
 * @throws CheckpointError when a checkpoint cannot be written, or is one of other texts
 */
export async function adapt(
  model: MaskedModel,
  data: { train: EncodedReviews | ReviewStream; validation?: EncodedReviews },
  vocabulary: MaskingVocabulary,
  {
    arguments: given,
    masking = {},
    tokenizerFolder,
    ...options
  }: {
    arguments?: Partial<TrainingSettings>;
    masking?: MaskingOptions;
    onRecord?: (record: TrainingRecord) => void;
    signal?: AbortSignal;
    tokenizerFolder?: string;
  } & CheckpointOptions &
    RanksOption = {},
): Promise<TrainingResult<MaskedMetrics>> {
  const chosen = trainingSettings(given);
  const texts = data.train;
  const isStream = texts instanceof ReviewStream;
  const rows = isStream ? texts.rows : texts.ids.length;
  if (rows === 0) throw new ArgumentError('ARGUMENT_NO_ROWS', 'There are no texts to read.');
  if (options.checkpoints && !tokenizerFolder)
    throw new ArgumentError('ARGUMENT_NO_TOKENIZER', 'Checkpoints need `tokenizerFolder`: each is a whole model.');
  const { seed } = chosen;
  const batching = {
    batchSize: chosen.batchSize,
    seed,
    groupByLength: chosen.groupByLength,
    maxTokens: maxTokens(model.config),
  };
  const { validation } = data;
  const { ranks = alone } = options;
  return runTraining<MaskedBatch, MaskedMetrics>({
    ...options,
    resumeFrom: beginTogether(model, ranks, options.resumeFrom),
    model,
    whole: model,
    writeBack: () => {},
    task: maskedLanguageModelling,
    trained: trainedParameters(model.parameters.keys(), model.config.n_layers, chosen.freeze),
    arguments: chosen,
    rows,
    longest: longestOf(texts, batching.maxTokens),
    async *batches(from) {
      const plain = isStream
        ? batchesOfStream(texts, batching, from)
        : batchesInMemory((epoch) => trainingBatches(texts, { ...batching, epoch }), from);
      for await (const { batch, next, endsEpoch } of plain) {
        const seeds = [seed, next.epoch, next.block, next.batch];
        yield { batch: maskBatch(batch, vocabulary, masking, ...seeds), next, endsEpoch };
      }
    },
    data: createHash('sha256')
      .update(fingerprintOf(texts) + JSON.stringify(masking))
      .digest('hex')
      .slice(0, 16),
    looks: isStream ? 10 : 1,
    ...(validation && {
      evaluate: async (tick) => {
        const metrics = await evaluateMasked(model, validation, vocabulary, {
          batchSize: chosen.evalBatchSize,
          tick,
          ranks,
          ...masking,
        });
        return { metrics, score: -metrics.loss, loss: metrics.loss, accuracy: metrics.accuracy };
      },
    }),
    ...(tokenizerFolder && { saveModel: (folder) => saveMaskedModel(model, folder, tokenizerFolder) }),
  });
}
