/** Fine-tuning a classifier: the training loop on labelled reviews, in memory or streamed. */
import { createHash } from 'node:crypto';
import { ArgumentError } from '../errors.js';
import { saveClassifier, type Classifier } from '../model/classifier.js';
import { maxTokens } from '../model/config.js';
import { alone } from '../distributed/ranks.js';
import { trainingBatches, type EncodedReviews } from '../batching/batches.js';
import { ReviewStream, type BatchOptions, type StreamPosition } from '../batching/stream.js';
import { evaluate } from '../evaluation/evaluate.js';
import { trainedParameters } from './freeze.js';
import {
  batchesInMemory,
  beginTogether,
  runTraining,
  type CheckpointOptions,
  type RanksOption,
  type NextBatch,
  type TrainingResult,
} from './loop.js';
import type { ClassificationMetrics } from '../evaluation/metrics.js';
import { classification } from './task.js';
import { trainingSettings, type TrainingSettings } from '../settings/settings.js';
import { useVocabularyOf } from './used-vocabulary.js';
import type { LabelledBatch } from '../model/batch.js';
import type { TrainingRecord } from './training-record.js';

/** Batches of a stream as the loop takes them. */
export async function* batchesOfStream(
  stream: ReviewStream,
  options: BatchOptions,
  from: StreamPosition,
): AsyncGenerator<NextBatch<LabelledBatch>> {
  for await (const { next, ...batch } of stream.batches(options, from))
    yield { batch, endsEpoch: next.block === 0 && next.batch === 0, next };
}

/**
 * Rows as a short word: the same rows in the same order have the same.
 * @param rows encoded, whose tokens and labels both count, or a stream
 */
export function fingerprintOf(rows: EncodedReviews | ReviewStream): string {
  if (rows instanceof ReviewStream) return rows.fingerprint;
  const { ids, labels } = rows;
  const hash = createHash('sha256').update(labels);
  for (const text of ids) hash.update(Int32Array.of(text.length)).update(text);
  return hash.digest('hex').slice(0, 16);
}

/**
 * Tokens of the longest text.
 * @param rows encoded, or a stream, of which only the most is known
 * @param maxTokens that a model takes
 */
export const longestOf = (rows: EncodedReviews | ReviewStream, maxTokens: number): number =>
  Math.min(
    maxTokens,
    rows instanceof ReviewStream ? rows.maxLength : Math.max(...rows.ids.map(({ length }) => length)),
  );

/**
 * Fine-tunes the classifier in place.
 * @param data what to learn from, and what to look at meanwhile
 * @param data.train rows in memory, or a stream of more than that; of a stream an epoch's updates are counted by all its rows
 * @param data.validation looked at every evalSteps updates, or after each epoch; without it the last model is kept
 * @param options who watches, and where checkpoints go
 * @param options.arguments see TrainingSettings; what is left out has its default
 * @param options.onRecord called after each update
 * @param options.signal ends training after the current update
 * @param options.checkpoints written at each evaluation, every saveSteps updates, and at the end; with `tokenizerFolder`
 * @param options.tokenizerFolder where the tokenizer's files are, which belong to a checkpoint
 * @param options.ranks who trains together: all get the chief's weights and what it goes on from. A stream has them too
 * @throws SettingsError for invalid training arguments, before training starts
 * @throws DivergedError when the loss is not a number; the parameters are those of the step before
 * @throws CheckpointError when a checkpoint cannot be written, or is one of other rows
 */
export async function train(
  classifier: Classifier,
  data: { train: EncodedReviews | ReviewStream; validation?: EncodedReviews },
  {
    arguments: given,
    tokenizerFolder,
    ...options
  }: {
    arguments?: Partial<TrainingSettings>;
    onRecord?: (record: TrainingRecord) => void;
    signal?: AbortSignal;
    tokenizerFolder?: string;
  } & CheckpointOptions &
    RanksOption = {},
): Promise<TrainingResult<ClassificationMetrics>> {
  const chosen = trainingSettings(given);
  const isStream = data.train instanceof ReviewStream;
  const rows = data.train instanceof ReviewStream ? data.train.rows : data.train.labels.length;
  if (rows === 0) throw new ArgumentError('ARGUMENT_NO_ROWS', 'There are no rows to train on.');
  if (options.checkpoints && !tokenizerFolder)
    throw new ArgumentError('ARGUMENT_NO_TOKENIZER', 'Checkpoints need `tokenizerFolder`: each is a whole model.');
  const trained = trainedParameters(classifier.parameters.keys(), classifier.config.n_layers, chosen.freeze);
  const { ranks = alone } = options;
  const resumeFrom = beginTogether(classifier, ranks, options.resumeFrom);
  const decay = resumeFrom?.state.unusedDecay;
  // Which words a stream will use is not known beforehand.
  const vocabulary =
    data.train instanceof ReviewStream ? undefined : useVocabularyOf(classifier, data.train, trained, decay);
  const batching = {
    batchSize: chosen.batchSize,
    seed: chosen.seed,
    groupByLength: chosen.groupByLength,
    maxTokens: maxTokens(classifier.config),
  };
  const { validation } = data;
  try {
    return await runTraining<LabelledBatch, ClassificationMetrics>({
      ...options,
      resumeFrom,
      model: vocabulary?.model ?? classifier,
      whole: classifier,
      writeBack: (decay) => vocabulary?.writeBack(decay),
      task: classification,
      trained,
      arguments: chosen,
      rows,
      longest: longestOf(data.train, batching.maxTokens),
      batches: (from) =>
        data.train instanceof ReviewStream
          ? batchesOfStream(data.train, batching, from)
          : batchesInMemory((epoch) => trainingBatches(vocabulary!.reviews, { ...batching, epoch }), from),
      data: fingerprintOf(data.train),
      looks: isStream ? 10 : 1,
      ...(validation && {
        evaluate: async (tick) => {
          const { metrics } = await evaluate(classifier, validation, {
            batchSize: chosen.evalBatchSize,
            tick,
            ranks,
          });
          return { metrics, score: metrics.accuracy, loss: metrics.loss, accuracy: metrics.accuracy };
        },
      }),
      ...(tokenizerFolder && { saveModel: (folder) => saveClassifier(classifier, folder, tokenizerFolder) }),
    });
  } finally {
    vocabulary?.dispose();
  }
}
