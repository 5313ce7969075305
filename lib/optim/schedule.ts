/**
 * Learning-rate schedules: linear warmup from 0, then decay to 0 (transformers' get_linear_schedule_with_warmup and
 * get_cosine_schedule_with_warmup).
 */

import type { Settings } from '../settings/settings.js';

/** The schedule after warmup: linear or cosine decay to 0, or constant. */
export type SchedulerType = Settings['lrSchedulerType'];

/**
 * The number of warmup steps, as in transformers' TrainingArguments.get_warmup_steps.
 * @param warmupSteps number of steps; below 1, a fraction of all steps
 */
export const warmupStepsOf = (warmupSteps: number, totalSteps: number): number =>
  warmupSteps < 1 ? Math.ceil(totalSteps * warmupSteps) : Math.floor(warmupSteps);

/**
 * The factor of the learning rate at a step.
 * @param step number of completed optimizer steps, from 0
 */
export function learningRateFactor(step: number, totalSteps: number, warmupSteps: number, type: SchedulerType): number {
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  if (type === 'constant') return 1;
  if (type === 'cosine') return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  return Math.max(0, 1 - progress);
}
