/** The learning rate over a run: up from 0 while warming up, then down to 0 (transformers' get_linear_/get_cosine_schedule_with_warmup). */

/** How the learning rate falls after warming up: to 0 in a line or as a cosine, or not at all. */
export type SchedulerType = 'linear' | 'cosine' | 'constant';

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
