/** What a training run reports after each step, and the list of these records, which is limited in size. */

/** The state of training after an optimizer step. */
export interface TrainingRecord {
  /** Optimizer steps so far. */
  step: number;
  /** Optimizer steps of the whole run. */
  totalSteps: number;
  /** Passes over the training set so far, with a fraction. */
  epoch: number;
  /** Mean loss of the step's rows, or of its masked tokens. */
  loss: number;
  learningRate: number;
  /** Global norm of the gradients before clipping. */
  gradNorm: number;
  /** Since the start, without evaluation. */
  samplesPerSecond: number;
  /** Estimated from the speed so far. */
  secondsLeft: number;
  /** Only if the step was evaluated. */
  evalLoss?: number;
  /** Only if the step was evaluated, and not for regression and multi-label classification; from 0 to 1. */
  evalAccuracy?: number;
  /** Only if the step was evaluated, and only for multi-label classification; from 0 to 1. */
  evalMicroF1?: number;
}

/** Why training ended. */
export type EndOfTraining = 'completed' | 'early stopping' | 'interrupted';

/** More points than a curve can show. */
const maxRecords = 10_000;

/** Appends a record. At 10,000 records every second one is removed, except those with an evaluation. */
export function appendDownsampled(records: TrainingRecord[], record: TrainingRecord): void {
  records.push(record);
  if (records.length < maxRecords) return;
  const kept = records.filter((record, i) => i % 2 === 1 || record.evalLoss !== undefined);
  records.splice(0, records.length, ...kept);
}
