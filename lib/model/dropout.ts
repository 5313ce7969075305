/**
 * Where a training step's random numbers come from. Each use of dropout in a step gets a seed of its own, made of the
 * run's seed, the step and a count: the same step drops the same numbers, whatever ran before it.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { select } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';

/** Hands out one seed a use. */
export interface DropoutSource {
  /** The next seed: [2], int32. */
  nextSeed(): Tensor1D;
}

/**
 * The seeds of one step.
 * @param seed the run's
 * @param step counts forward passes of the run, from 0
 */
export function dropoutOfStep(seed: number, step: number): DropoutSource {
  let uses = 0;
  // A step has fewer than 1,024 uses: 4 a layer and 2 more.
  return { nextSeed: () => tf.tensor1d([seed | 0, (Math.imul(step, 1024) + uses++) | 0], 'int32') };
}

/** The kept numbers, and 0 for the others. */
export const applyMask = (x: Tensor, keep: Tensor): Tensor => select(keep, x, tf.scalar(0));
