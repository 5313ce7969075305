/**
 * Seeds for dropout. Each use of dropout in a forward pass has its own seed, derived from the seed of the run, the
 * number of the pass and a counter. A step therefore drops the same values regardless of what ran before it.
 */
import type { Tensor, Tensor1D } from '@tensorflow/tfjs';
import { select } from '../tensorflow/kernels.js';
import { tf } from '../tensorflow/runtime.js';

/** Source of seeds, one per use of dropout. */
export interface DropoutSource {
  /** Returns the next seed: [2], int32. */
  nextSeed(): Tensor1D;
}

/**
 * The seed of a forward pass.
 * @param seed random seed of the run
 * @param pass number of the forward pass in the run, from 0
 * @param rank number of the rank in data-parallel training; each rank has different seeds
 */
export const seedOfPass = (seed: number, pass: number, rank = 0): Tensor1D =>
  // A pass uses fewer than 1,024 seeds: 3 per layer and 2 more.
  tf.tensor1d([(seed + Math.imul(rank, 0x9e3779b1)) | 0, Math.imul(pass, 1024)], 'int32');

/** Derives the seeds of all uses in a forward pass from the seed of the pass. */
export function dropoutSource(seed: Tensor1D): DropoutSource {
  let uses = 0;
  return { nextSeed: () => tf.add(seed, tf.tensor1d([0, uses++], 'int32')) };
}

/** Replaces the values that are not kept by 0. */
export const applyMask = (x: Tensor, keep: Tensor): Tensor => select(keep, x, tf.scalar(0));
