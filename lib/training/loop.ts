/**
 * The training loop, whatever the task. One update after another: batches forward and back, gradients clipped, AdamW; now
 * and then a look at the validation rows and a checkpoint. The caller watches by `onRecord` and may end it by `signal`, with
 * the model intact.
 */
import path from 'node:path';
import { DivergedError, OtherRowsError } from '../errors.js';
import type { EncodedBatch } from '../model/batch.js';
import { describeEngine, parameterValues, restoreParameters, type Model } from '../model/model.js';
import { readSafetensors, type StoredTensor } from '../model/safetensors.js';
import { alone, type Ranks } from '../distributed/ranks.js';
import type { StreamPosition } from '../batching/stream.js';
import { CheckpointFolder, optimizerOf, type Checkpoint } from './checkpoint.js';
import { EarlyStopping } from './early-stopping.js';
import { chooseJitCompile } from './jit-compile.js';
import { appendDownsampled, type EndOfTraining, type TrainingRecord } from './training-record.js';
import { learningRateFactor, warmupStepsOf } from '../optim/schedule.js';
import { TrainingStep } from './step.js';
import type { TrainingTask } from './task.js';
import type { TrainingSettings } from '../settings/settings.js';

/** What came of training. */
export interface TrainingResult<Metrics> {
  end: EndOfTraining;
  /** Of each update; of more than 10,000 evenly chosen ones, see appendDownsampled. */
  records: TrainingRecord[];
  /** Of the evaluation whose parameters the model now has; none if there was no evaluation. */
  best: { step: number; metrics: Metrics } | undefined;
  /** Updates done. */
  step: number;
  /** Rows trained on, counted as often as they were. */
  samples: number;
  /** Of all parts of a run that was gone on with. */
  seconds: number;
  /** Evaluation and checkpoints left out. */
  samplesPerSecond: number;
  /** Of the time without evaluation, the share in which there was nothing to compute on yet. */
  waitedShare: number;
  /** What computed the steps, in a few words. */
  engine: string;
  /** Graphs captured for the steps, and the seconds that took, XLA's compilation included. */
  captured: { graphs: number; seconds: number };
}

/** A batch, whether it is the last of its epoch, and what comes behind it. */
export interface NextBatch<Batch> {
  batch: Batch;
  endsEpoch: boolean;
  next: StreamPosition;
}

/** Batches of rows in memory from a position on, epoch after epoch, without end. */
export function* batchesInMemory<Batch>(
  batchesOf: (epoch: number) => Batch[],
  from: StreamPosition,
): Generator<NextBatch<Batch>> {
  for (let { epoch, batch: first } = from; ; epoch++, first = 0) {
    const batches = batchesOf(epoch);
    for (let i = first; i < batches.length; i++) {
      const endsEpoch = i === batches.length - 1;
      const next = endsEpoch ? { epoch: epoch + 1, block: 0, batch: 0 } : { epoch, block: 0, batch: i + 1 };
      yield { batch: batches[i]!, endsEpoch, next };
    }
  }
}

/** The batches of one update each: as many as are accumulated, or what is left of the epoch. */
async function* updatesOf<Batch>(
  batches: Iterable<NextBatch<Batch>> | AsyncIterable<NextBatch<Batch>>,
  size: number,
): AsyncGenerator<{ group: Batch[]; next: StreamPosition }> {
  let group: Batch[] = [];
  for await (const { batch, endsEpoch, next } of batches) {
    group.push(batch);
    if (group.length < size && !endsEpoch) continue;
    yield { group, next };
    group = [];
  }
}

/** Where checkpoints go, and what a run goes on from. */
export interface CheckpointOptions {
  /** How many and how often is said by the arguments saveSteps and saveTotalLimit. */
  checkpoints?: CheckpointFolder;
  /** Of `checkpoints.newest()`; the model must have been loaded from its folder. */
  resumeFrom?: Checkpoint | undefined;
  /** Called when one has been written. */
  onCheckpoint?: (checkpoint: Checkpoint) => void;
}

/** Who trains together. */
export interface RanksOption {
  /**
   * Each takes its share of every batch; all get the same rows, arguments and model. Checkpoints are the chief's, and so is
   * what a run goes on from. @default this process alone
   */
  ranks?: Ranks;
}

/**
 * Gives all ranks the chief's weights and the chief's checkpoint.
 * @param model whose parameters are copied
 * @param ranks that train together
 * @param resumeFrom the chief's checkpoint; the others' is ignored
 * @returns the chief's checkpoint
 */
export function beginTogether(
  model: Pick<Model, 'parameters'>,
  ranks: Ranks,
  resumeFrom: Checkpoint | undefined,
): Checkpoint | undefined {
  ranks.copyFromChief([...model.parameters.values()]);
  return ranks.fromChief(resumeFrom) ?? undefined;
}

/** A task, its batches, and who looks on. */
export interface LoopOptions<Batch extends EncodedBatch, Metrics> extends CheckpointOptions, RanksOption {
  /** What is trained, which may be a smaller table of words than the whole model has. */
  model: Model;
  /** The whole model, which is looked at and saved. */
  whole: Model;
  /** Brings the whole model up to date; see UsedVocabulary. */
  writeBack: (decay: number) => void;
  task: TrainingTask<Batch>;
  /** Names of the parameters that are trained. */
  trained: string[];
  arguments: TrainingSettings;
  /** Of an epoch. */
  rows: number;
  /** Tokens of the longest text. */
  longest: number;
  /** All batches from a position on, without end. */
  batches: (from: StreamPosition) => Iterable<NextBatch<Batch>> | AsyncIterable<NextBatch<Batch>>;
  /** Of the rows, see TrainerState. */
  data: string;
  /** Looks at the validation rows in an epoch, where evalSteps does not say. */
  looks: number;
  /** Looks at the validation rows; the highest score is the best. `tick` is awaited between batches. */
  evaluate?: (
    tick: () => Promise<void>,
  ) => Promise<{ metrics: Metrics; score: number; loss: number; accuracy: number }>;
  /** Writes the whole model into a folder; for checkpoints. */
  saveModel?: (folder: string) => void;
  /** Called after each update. */
  onRecord?: ((record: TrainingRecord) => void) | undefined;
  /** Ends training after the current update. */
  signal?: AbortSignal | undefined;
}

class Interrupted extends Error {}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Trains a model in place.
 * @throws DivergedError when the loss is not a number; the parameters are those of the step before
 * @throws CheckpointError when a checkpoint cannot be written, OtherRowsError when it is one of other rows
 */
export async function runTraining<Batch extends EncodedBatch, Metrics>(
  options: LoopOptions<Batch, Metrics>,
): Promise<TrainingResult<Metrics>> {
  const { model, whole, arguments: chosen, checkpoints, resumeFrom, signal, ranks = alone } = options;
  const before = resumeFrom?.state;
  if (before && before.data !== options.data)
    throw new OtherRowsError(
      'CHECKPOINT_DATA_CHANGED',
      `The rows to train on are not those of ${resumeFrom.folder}: the file has changed, or another sample of it was asked for. Start a new run, or bring back what there was.`,
      { folder: resumeFrom.folder },
    );
  const batchesPerEpoch = Math.ceil(options.rows / chosen.batchSize);
  const stepsPerEpoch = Math.ceil(batchesPerEpoch / chosen.gradientAccumulationSteps);
  const totalSteps = chosen.maxSteps > 0 ? chosen.maxSteps : Math.ceil(stepsPerEpoch * chosen.epochs);
  const warmupSteps = warmupStepsOf(chosen.warmupSteps, totalSteps);
  const evalSteps = chosen.evalSteps || Math.ceil(stepsPerEpoch / options.looks);
  const work = { batches: totalSteps * chosen.gradientAccumulationSteps, batchSize: chosen.batchSize };
  const compiled = chooseJitCompile(model, options.longest, work, ranks);
  const trainingStep = new TrainingStep(model, options.task, {
    trained: options.trained,
    maxGradNorm: chosen.maxGradNorm,
    seed: chosen.seed,
    accumulates: chosen.gradientAccumulationSteps > 1,
    beta1: chosen.adamBeta1,
    beta2: chosen.adamBeta2,
    epsilon: chosen.adamEpsilon,
    weightDecay: chosen.weightDecay,
    jitCompile: compiled.jitCompile,
    ranks,
  });
  const stopping = new EarlyStopping(chosen.earlyStoppingPatience, chosen.earlyStoppingThreshold);
  const started = performance.now() - 1000 * (before?.seconds ?? 0);
  const records: TrainingRecord[] = before?.records ?? [];
  let { step, samples, trainSeconds, waitedSeconds, lookedAt } = before ?? {
    ...{ step: 0, samples: 0, trainSeconds: 0, waitedSeconds: 0, lookedAt: 0 },
  };
  let position = before?.position ?? { epoch: 0, block: 0, batch: 0 };
  let unusedDecay = before?.unusedDecay ?? 1;
  /**
   * Brings the whole model up to date. Each decay of the unused rows rounds them, so they are decayed at each look and at the end
   * only, not at checkpoints between, which an interrupt may cause at any step: a resumed run ends with the same bits.
   */
  const writeBack = () => options.writeBack((unusedDecay = trainingStep.optimizer.decay));
  let best = (before?.best ?? undefined) as TrainingResult<Metrics>['best'];
  let bestValues: Map<string, StoredTensor> | undefined;
  // A run that was through goes on when it is told of more epochs.
  let end: EndOfTraining | undefined =
    before?.end === 'completed' && before.step < totalSteps ? undefined : (before?.end ?? undefined);

  const isDue = () => options.evaluate !== undefined && (step % evalSteps === 0 || step === totalSteps);
  // What one rank is asked to do all do, at the end of the same step.
  let stopAsked = false;
  const isStopped = () => (ranks.size > 1 ? stopAsked : (signal?.aborted ?? false));
  const tick = async () => {
    await nextTurn();
    // Several ranks look together, each at its share: none may leave alone.
    if (ranks.size === 1 && isStopped()) throw new Interrupted();
  };
  /** Looks at the validation rows. @returns whether to stop */
  const look = async (record: TrainingRecord): Promise<boolean> => {
    writeBack();
    const { metrics, score, loss, accuracy } = await options.evaluate!(tick);
    record.evalLoss = loss;
    record.evalAccuracy = accuracy;
    lookedAt = step;
    const seen = stopping.see(score);
    if (seen.best || !chosen.loadBestModelAtEnd) {
      best = { step, metrics };
      // With checkpoints the best one is on the disk.
      if (chosen.loadBestModelAtEnd && !checkpoints && ranks.isChief) bestValues = parameterValues(whole);
    }
    return seen.stop;
  };
  const save = (): void => {
    if (!checkpoints || !options.saveModel) return;
    if (end && end !== 'interrupted') writeBack();
    else options.writeBack(unusedDecay);
    const { state, tensors } = trainingStep.state();
    const saved = checkpoints.save(
      {
        ...{ step, position, data: options.data, samples, trainSeconds, waitedSeconds, lookedAt, records },
        seconds: (performance.now() - started) / 1000,
        best: best ?? null,
        earlyStopping: stopping.state,
        trainingStep: state,
        unusedDecay,
        end: end === 'interrupted' || end === undefined ? null : end,
      },
      tensors,
      options.saveModel,
    );
    checkpoints.prune(chosen.saveTotalLimit, chosen.loadBestModelAtEnd ? best?.step : undefined);
    options.onCheckpoint?.(saved);
  };
  /** What follows an update: a look and a checkpoint, where they are due, and word of it. */
  const conclude = async (record: TrainingRecord): Promise<void> => {
    let stop = false;
    const due = isDue() && lookedAt !== step && !isStopped();
    try {
      if (due) stop = await look(record);
    } catch (error) {
      // The look is made up for when the run goes on.
      if (!(error instanceof Interrupted)) throw error;
    }
    // Told before it is saved: what a checkpoint holds has been said.
    options.onRecord?.(record);
    if (isStopped()) end = 'interrupted';
    else if (step >= totalSteps) end = 'completed';
    else if (stop) end = 'early stopping';
    if (due || end || (chosen.saveSteps > 0 && step % chosen.saveSteps === 0)) save();
  };

  try {
    if (before) {
      trainingStep.restore(before.trainingStep, () => optimizerOf(resumeFrom));
      stopping.state = before.earlyStopping;
      if (!end && isDue() && lookedAt !== step) await conclude(records.at(-1)!);
      else if (!end && step >= totalSteps) end = 'completed';
    }
    let from = performance.now();
    if (!end)
      for await (const { group, next } of updatesOf(options.batches(position), chosen.gradientAccumulationSteps)) {
        waitedSeconds += (performance.now() - from) / 1000;
        const learningRate =
          chosen.learningRate * learningRateFactor(step, totalSteps, warmupSteps, chosen.lrSchedulerType);
        const { loss, gradNorm, stop } = trainingStep.run(group, learningRate, signal?.aborted);
        stopAsked = stop;
        if (!Number.isFinite(loss)) throw new DivergedError(step + 1, loss, learningRate);
        if (!Number.isFinite(gradNorm)) throw new DivergedError(step + 1, NaN, learningRate);
        step++;
        position = next;
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
        appendDownsampled(records, record);
        // Lets signals, timers and the notebook's messages in.
        await nextTurn();
        await conclude(record);
        if (end) break;
        from = performance.now();
      }
  } finally {
    writeBack();
    trainingStep.dispose();
  }
  // An interrupted run keeps what it has learnt so far, unless an evaluation has vouched for something.
  if (chosen.loadBestModelAtEnd && best && best.step !== step) {
    if (ranks.isChief)
      restoreParameters(
        whole,
        bestValues ?? readSafetensors(path.join(checkpoints!.of(best.step), 'model.safetensors')),
      );
    ranks.copyFromChief([...whole.parameters.values()]);
  }
  return {
    end: end!,
    records,
    best,
    step,
    samples,
    seconds: (performance.now() - started) / 1000,
    samplesPerSecond: samples / trainSeconds,
    waitedShare: waitedSeconds / trainSeconds,
    engine: describeEngine({
      ...whole.engine,
      jitCompile: compiled.jitCompile,
      reason: [whole.engine.reason, compiled.reason].filter((each) => each !== undefined).join(', ') || undefined,
    }),
    captured: trainingStep.captured,
  };
}

/** What a training run was, in a table. */
export const describeTraining = (result: TrainingResult<unknown>): { what: string; value: string }[] => [
  { what: 'end', value: result.end },
  { what: 'samples', value: String(result.samples) },
  { what: 'samples a second', value: result.samplesPerSecond.toFixed(1) },
  { what: 'computed by', value: result.engine },
  { what: 'graphs captured', value: `${result.captured.graphs} in ${result.captured.seconds.toFixed(1)} s` },
  { what: 'time waited for data', value: `${(100 * result.waitedShare).toFixed(2)} %` },
];
