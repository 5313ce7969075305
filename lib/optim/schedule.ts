/** The learning rate over a run: up from 0 while warming up, then down to 0 (transformers' get_linear_/get_cosine_schedule_with_warmup). */

import type { Settings } from '../settings/settings.js';

/** How the learning rate falls after warmup: to 0, linearly or as a cosine, or not at all. */
export type SchedulerType = Settings['lrSchedulerType'];

/**
 * The number of warmup steps, as transformers' TrainingArguments.get_warmup_steps.
 * @param warmupSteps number of steps, or below 1 their fraction of all steps
 */
export const warmupStepsOf = (warmupSteps: number, totalSteps: number): number =>
  warmupSteps < 1 ? Math.ceil(totalSteps * warmupSteps) : Math.floor(warmupSteps);

/**
 * The factor by which the learning rate is multiplied.
 * @param step updates done so far, from 0
 */
export function learningRateFactor(step: number, totalSteps: number, warmupSteps: number, type: SchedulerType): number {
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  if (type === 'constant') return 1;
  if (type === 'cosine') return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  return Math.max(0, 1 - progress);
}
