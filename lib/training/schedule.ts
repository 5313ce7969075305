/** When a run does what: its steps, its learning rates, its evaluations and its checkpoints. */
import { learningRateFactor, warmupStepsOf } from '../optim/schedule.js';
import type { TrainingSettings } from '../settings/settings.js';

/** Evaluations per epoch of a stream, unless evalSteps is set: its epochs are long. */
const evaluationsPerStreamedEpoch = 10;

/** The schedule of a run. */
export interface Schedule {
  stepsPerEpoch: number;
  totalSteps: number;
  /** The learning rate of the step after `step` steps. */
  learningRate(step: number): number;
  isEvalStep(step: number): boolean;
  isSaveStep(step: number): boolean;
}

/**
 * The schedule of a run.
 * @param rows of an epoch
 * @param isStream whether they are streamed
 */
export function scheduleOf(settings: TrainingSettings, rows: number, isStream: boolean): Schedule {
  const { learningRate, lrSchedulerType, maxSteps, epochs, saveSteps } = settings;
  const stepsPerEpoch = Math.ceil(Math.ceil(rows / settings.batchSize) / settings.gradientAccumulationSteps);
  const totalSteps = maxSteps > 0 ? maxSteps : Math.ceil(stepsPerEpoch * epochs);
  const warmupSteps = warmupStepsOf(settings.warmupSteps, totalSteps);
  const evalSteps = settings.evalSteps || Math.ceil(stepsPerEpoch / (isStream ? evaluationsPerStreamedEpoch : 1));
  return {
    stepsPerEpoch,
    totalSteps,
    learningRate: (step) => learningRate * learningRateFactor(step, totalSteps, warmupSteps, lrSchedulerType),
    isEvalStep: (step) => step > 0 && (step % evalSteps === 0 || step === totalSteps),
    isSaveStep: (step) => saveSteps > 0 && step % saveSteps === 0,
  };
}
