/** What a training run reports after each step, and the list of these records, which is limited in size. */

/** What is known after an update. */
export interface TrainingRecord {
  /** Updates done. */
  step: number;
  /** Updates that the run is to have. */
  totalSteps: number;
  /** Passes done, with a fraction. */
  epoch: number;
  /** Mean loss of the update: of its rows, or of its masked tokens. */
  loss: number;
  /** Of this update, by the schedule. */
  learningRate: number;
  /** Joint length of the gradients before clipping. */
  gradNorm: number;
  /** Since the start, evaluation left out. */
  samplesPerSecond: number;
  /** At the pace so far. */
  secondsLeft: number;
  /** After an evaluation. */
  evalLoss?: number;
  /** After an evaluation: a share, from 0 to 1. */
  evalAccuracy?: number;
}

/** Why training ended: all was done, nothing improved any more, or a signal said so. */
export type EndOfTraining = 'completed' | 'early stopping' | 'interrupted';

/** More points than a curve can show. */
const maxRecords = 10_000;

/** Appends a record. At 10,000 records every second one is removed, except those with an evaluation. */
export function appendDownsampled(records: TrainingRecord[], record: TrainingRecord): void {
  records.push(record);
  if (records.length < maxRecords) return;
  const kept = records.filter((record, i) => i % 2 === 1 || record.evalAccuracy !== undefined);
  records.splice(0, records.length, ...kept);
}
