/** The training loop, in the order of execution. Its state is one object, which a checkpoint stores. */
import { DivergedError } from '../errors.js';
import type { NextBatch } from '../batching/positions.js';
import type { StreamPosition } from '../batching/stream.js';
import type { Ranks } from '../distributed/ranks.js';
import { textCount, type EncodedBatch } from '../model/batch.js';
import type { TrainerState } from './checkpoint.js';
import type { Schedule } from './schedule.js';
import type { TrainingStep } from './step.js';
import { appendDownsampled, type TrainingRecord } from './training-record.js';

/** What the loop works with. */
export interface Loop<Batch extends EncodedBatch> {
  /** Is changed by the loop. */
  state: TrainerState;
  schedule: Schedule;
  step: TrainingStep<Batch>;
  /** All batches from a position on, without end. */
  batches: (from: StreamPosition) => Iterable<NextBatch<Batch>> | AsyncIterable<NextBatch<Batch>>;
  gradientAccumulationSteps: number;
  /**
   * Evaluates the model and adds the result to the state and the record; `tick` is awaited between batches.
   * @returns whether to stop early
   */
  evaluate?: ((record: TrainingRecord, tick: () => Promise<void>) => Promise<boolean>) | undefined;
  /** Writes a checkpoint. */
  save: () => void;
  onRecord: (record: TrainingRecord) => void;
  /** Stops training after the current step. */
  signal?: AbortSignal | undefined;
  ranks: Ranks;
}

/** Thrown out of an evaluation to stop it. */
class Interrupted extends Error {}

/** Lets signals, timers and messages of the notebook be handled. */
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const secondsSince = (time: number) => (performance.now() - time) / 1000;

/** The batches of one step each: as many as are accumulated, or the rest of the epoch. */
async function* stepsOf<Batch>(
  batches: Iterable<NextBatch<Batch>> | AsyncIterable<NextBatch<Batch>>,
  count: number,
): AsyncGenerator<{ group: Batch[]; next: StreamPosition }> {
  let group: Batch[] = [];
  for await (const { batch, endsEpoch, next } of batches) {
    group.push(batch);
    if (group.length < count && !endsEpoch) continue;
    yield { group, next };
    group = [];
  }
}

/**
 * Trains until `state.end` is set.
 * @throws DivergedError if the loss is NaN or infinite; the parameters are those of the step before
 */
export async function runLoop<Batch extends EncodedBatch>(loop: Loop<Batch>): Promise<void> {
  const { state, schedule, step, ranks, signal } = loop;
  const { totalSteps, stepsPerEpoch } = schedule;
  // All ranks stop after the same step: a stop request is part of what they exchange in a step.
  let stopRequested = false;
  const isStopped = () => (ranks.size > 1 ? stopRequested : (signal?.aborted ?? false));
  const tick = async () => {
    await nextTurn();
    // Several ranks evaluate together, so none may leave on its own.
    if (ranks.size === 1 && isStopped()) throw new Interrupted();
  };
  const isEvalDue = () =>
    loop.evaluate !== undefined && schedule.isEvalStep(state.step) && state.lastEvalStep !== state.step && !isStopped();

  /** Evaluates, reports, decides whether to end, and writes a checkpoint, if they are due. */
  const finishStep = async (record: TrainingRecord): Promise<void> => {
    const isDue = isEvalDue();
    let stopEarly = false;
    try {
      if (isDue) stopEarly = await loop.evaluate!(record, tick);
    } catch (error) {
      // A resumed run makes up for the evaluation.
      if (!(error instanceof Interrupted)) throw error;
    }
    // Before it is saved: a checkpoint contains only records that have been reported.
    loop.onRecord(record);
    if (isStopped()) state.end = 'interrupted';
    else if (state.step >= totalSteps) state.end = 'completed';
    else if (stopEarly) state.end = 'early stopping';
    if (isDue || state.end || schedule.isSaveStep(state.step)) loop.save();
  };

  // A resumed run may have more epochs than before, or have been interrupted in an evaluation.
  if (state.end === 'completed' && state.step < totalSteps) state.end = null;
  if (!state.end && isEvalDue()) await finishStep(state.records.at(-1)!);
  else if (!state.end && state.step >= totalSteps) state.end = 'completed';
  if (state.end) return;

  let from = performance.now();
  for await (const { group, next } of stepsOf(loop.batches(state.position), loop.gradientAccumulationSteps)) {
    state.dataWaitSeconds += secondsSince(from);
    const learningRate = schedule.learningRate(state.step);
    const { loss, gradNorm, stop } = await step.run(group, learningRate, signal?.aborted);
    stopRequested = stop;
    if (!Number.isFinite(loss)) throw new DivergedError(state.step + 1, loss, learningRate);
    if (!Number.isFinite(gradNorm)) throw new DivergedError(state.step + 1, NaN, learningRate);

    state.step++;
    state.position = next;
    state.samples += group.reduce((sum, batch) => sum + textCount(batch), 0);
    state.trainSeconds += secondsSince(from);
    const record: TrainingRecord = {
      step: state.step,
      totalSteps,
      epoch: state.step / stepsPerEpoch,
      loss,
      learningRate,
      gradNorm,
      samplesPerSecond: state.samples / state.trainSeconds,
      secondsLeft: ((totalSteps - state.step) * state.trainSeconds) / state.step,
    };
    appendDownsampled(state.records, record);
    await nextTurn();
    await finishStep(record);
    if (state.end) return;
    from = performance.now();
  }
}
