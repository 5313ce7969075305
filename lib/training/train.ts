/**
 * The training loop. One update after another: batches forward and back, gradients clipped, AdamW; now and then a look
 * at the validation rows. The caller watches by `onRecord` and may end it by `signal`, with the model intact.
 */
import { describeEngine, parameterValues, restoreParameters, type Classifier } from '../model/classifier.js';
import { trainingBatches, type EncodedReviews } from '../text/batches.js';
import { ReviewStream, type BatchOptions } from '../text/stream.js';
import { maxTokens } from '../model/config.js';
import { EarlyStopping } from './early-stopping.js';
import { evaluate } from './evaluate.js';
import { trainedParameters } from './freeze.js';
import type { ClassificationMetrics } from './metrics.js';
import { remember } from './records.js';
import { learningRateFactor } from './schedule.js';
import { TrainingStep, type LabelledBatch } from './step.js';
import { completeTrainingArguments, type TrainingArguments } from './training-arguments.js';
import { useVocabularyOf } from './used-vocabulary.js';

/** What is known after an update. */
export interface TrainingRecord {
  /** Updates done. */
  step: number;
  totalSteps: number;
  /** Passes done, with a fraction. */
  epoch: number;
  /** Mean cross-entropy of the update's rows. */
  loss: number;
  learningRate: number;
  /** Joint length of the gradients before clipping. */
  gradNorm: number;
  /** Since the start, evaluation left out. */
  samplesPerSecond: number;
  secondsLeft: number;
  /** After an evaluation. */
  evalLoss?: number;
  evalAccuracy?: number;
}

export type EndOfTraining = 'completed' | 'early stopping' | 'interrupted';

export interface TrainingResult {
  end: EndOfTraining;
  /** Of each update; of more than 10,000 evenly chosen ones, see remember. */
  records: TrainingRecord[];
  /** Of the evaluation whose parameters the model now has; none if there was no evaluation. */
  best: { step: number; metrics: ClassificationMetrics } | undefined;
  /** Rows trained on, counted as often as they were. */
  samples: number;
  seconds: number;
  /** Evaluation left out. */
  samplesPerSecond: number;
  /** Of the time without evaluation, the share in which there was nothing to compute on yet. */
  waitedShare: number;
  /** What computed the steps, in a few words. */
  engine: string;
  /** Graphs captured for the steps, and the seconds that took, XLA's compilation included. */
  captured: { graphs: number; seconds: number };
}

/** The loss is no longer a number. */
export class DivergedError extends Error {
  override name = 'DivergedError';
  constructor(step: number, loss: number, learningRate: number) {
    super(
      `The loss became ${loss} at step ${step} (learning rate ${learningRate.toExponential(2)}). ` +
        'Try a learning rate a third as large, more warm-up (warmupRatio), or a smaller maxGradNorm; and look for broken rows.',
    );
  }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A batch, and whether it is the last of its epoch. */
interface NextBatch {
  batch: LabelledBatch;
  endsEpoch: boolean;
}

/** Batches of rows in memory, epoch after epoch, without end. */
function* batchesInMemory(batchesOf: (epoch: number) => LabelledBatch[]): Generator<NextBatch> {
  for (let epoch = 0; ; epoch++) {
    const batches = batchesOf(epoch);
    for (const [i, batch] of batches.entries()) yield { batch, endsEpoch: i === batches.length - 1 };
  }
}

/** Those of a stream. */
async function* batchesOfStream(stream: ReviewStream, options: BatchOptions): AsyncGenerator<NextBatch> {
  for await (const { next, ...batch } of stream.batches(options))
    yield { batch, endsEpoch: next.block === 0 && next.batch === 0 };
}

/** The batches of one update each: as many as are accumulated, or what is left of the epoch. */
async function* updatesOf(
  batches: Iterable<NextBatch> | AsyncIterable<NextBatch>,
  size: number,
): AsyncGenerator<LabelledBatch[]> {
  let group: LabelledBatch[] = [];
  for await (const { batch, endsEpoch } of batches) {
    group.push(batch);
    if (group.length < size && !endsEpoch) continue;
    yield group;
    group = [];
  }
}

/**
 * Fine-tunes the classifier in place.
 * @param data.train rows in memory, or a stream of more than that; of a stream an epoch's updates are counted by all its rows
 * @param data.validation looked at every evalSteps updates, or after each epoch; without it the last model is kept
 * @param options.arguments see TrainingArguments; what is left out has its default
 * @param options.onRecord called after each update
 * @param options.signal ends training after the current update
 * @throws RangeError for arguments that cannot be, before any work
 * @throws DivergedError when the loss is not a number; the parameters are those of the step before
 */
export async function train(
  classifier: Classifier,
  data: { train: EncodedReviews | ReviewStream; validation?: EncodedReviews },
  options: {
    arguments?: Partial<TrainingArguments>;
    onRecord?: (record: TrainingRecord) => void;
    signal?: AbortSignal;
  } = {},
): Promise<TrainingResult> {
  const chosen = completeTrainingArguments(options.arguments);
  const rows = data.train instanceof ReviewStream ? data.train.rows : data.train.labels.length;
  if (rows === 0) throw new RangeError('There are no rows to train on.');
  const trained = trainedParameters(classifier.parameters.keys(), classifier.config.n_layers, chosen.freeze);
  // Which words a stream will use is not known beforehand.
  const vocabulary = data.train instanceof ReviewStream ? undefined : useVocabularyOf(classifier, data.train, trained);
  const batching = {
    batchSize: chosen.perDeviceTrainBatchSize,
    seed: chosen.seed,
    groupByLength: chosen.groupByLength,
    maxTokens: maxTokens(classifier.config),
  };
  const batches =
    data.train instanceof ReviewStream
      ? batchesOfStream(data.train, batching)
      : batchesInMemory((epoch) => trainingBatches(vocabulary!.reviews, { ...batching, epoch }));
  const batchesPerEpoch = Math.ceil(rows / chosen.perDeviceTrainBatchSize);
  const stepsPerEpoch = Math.ceil(batchesPerEpoch / chosen.gradientAccumulationSteps);
  const totalSteps = chosen.maxSteps > 0 ? chosen.maxSteps : Math.ceil(stepsPerEpoch * chosen.numTrainEpochs);
  const warmupSteps = Math.ceil(totalSteps * chosen.warmupRatio);
  const looks = data.train instanceof ReviewStream ? 10 : 1;
  const evalSteps = chosen.evalSteps || Math.ceil(stepsPerEpoch / looks);
  const trainingStep = new TrainingStep(vocabulary?.model ?? classifier, {
    trained,
    maxGradNorm: chosen.maxGradNorm,
    seed: chosen.seed,
    accumulates: chosen.gradientAccumulationSteps > 1,
    beta1: chosen.adamBeta1,
    beta2: chosen.adamBeta2,
    epsilon: chosen.adamEpsilon,
    weightDecay: chosen.weightDecay,
  });
  const stopping = new EarlyStopping(chosen.earlyStoppingPatience, chosen.earlyStoppingThreshold);
  const records: TrainingRecord[] = [];
  const started = performance.now();
  let best: TrainingResult['best'];
  let bestValues: ReturnType<typeof parameterValues> | undefined;
  let end: EndOfTraining = 'completed';
  let samples = 0;
  let trainSeconds = 0;
  let waitedSeconds = 0;
  let step = 0;

  try {
    let from = performance.now();
    for await (const group of updatesOf(batches, chosen.gradientAccumulationSteps)) {
      waitedSeconds += (performance.now() - from) / 1000;
      const learningRate =
        chosen.learningRate * learningRateFactor(step, totalSteps, warmupSteps, chosen.lrSchedulerType);
      const { loss, gradNorm } = trainingStep.run(group, learningRate);
      if (!Number.isFinite(loss)) throw new DivergedError(step + 1, loss, learningRate);
      if (!Number.isFinite(gradNorm)) throw new DivergedError(step + 1, NaN, learningRate);
      step++;
      samples += group.reduce((sum, { batch }) => sum + batch, 0);
      trainSeconds += (performance.now() - from) / 1000;
      const record: TrainingRecord = {
        step,
        totalSteps,
        epoch: step / stepsPerEpoch,
        loss,
        learningRate,
        gradNorm,
        samplesPerSecond: samples / trainSeconds,
        secondsLeft: ((totalSteps - step) * trainSeconds) / step,
      };
      remember(records, record);
      // Lets signals, timers and the notebook's messages in.
      await nextTurn();
      let stop = false;
      if (data.validation && (step % evalSteps === 0 || step === totalSteps)) {
        vocabulary?.writeBack(trainingStep.optimizer.decay);
        const { metrics } = await evaluate(classifier, data.validation, {
          batchSize: chosen.perDeviceEvalBatchSize,
          tick: nextTurn,
        });
        record.evalLoss = metrics.loss;
        record.evalAccuracy = metrics.accuracy;
        const seen = stopping.see(metrics.accuracy);
        stop = seen.stop && step < totalSteps;
        if (seen.best || !chosen.loadBestModelAtEnd) {
          best = { step, metrics };
          if (chosen.loadBestModelAtEnd) bestValues = parameterValues(classifier);
        }
      }
      options.onRecord?.(record);
      if (options.signal?.aborted) end = 'interrupted';
      else if (stop) end = 'early stopping';
      if (end !== 'completed' || step >= totalSteps) break;
      from = performance.now();
    }
  } finally {
    vocabulary?.writeBack(trainingStep.optimizer.decay);
    trainingStep.dispose();
    vocabulary?.dispose();
  }
  // An interrupted run keeps what it has learnt so far, unless an evaluation has vouched for something.
  if (bestValues && best && best.step !== step) restoreParameters(classifier, bestValues);
  return {
    end,
    records,
    best,
    samples,
    seconds: (performance.now() - started) / 1000,
    samplesPerSecond: samples / trainSeconds,
    waitedShare: waitedSeconds / trainSeconds,
    engine: describeEngine(classifier.engine),
    captured: trainingStep.captured,
  };
}

/** What a training run was, in a table. */
export const describeTraining = (result: TrainingResult): { what: string; value: string }[] => [
  { what: 'end', value: result.end },
  { what: 'samples', value: String(result.samples) },
  { what: 'samples a second', value: result.samplesPerSecond.toFixed(1) },
  { what: 'computed by', value: result.engine },
  { what: 'graphs captured', value: `${result.captured.graphs} in ${result.captured.seconds.toFixed(1)} s` },
  { what: 'time waited for data', value: `${(100 * result.waitedShare).toFixed(2)} %` },
];
