/**
 * Where a training step's random numbers come from. Each use of dropout in a pass gets a seed of its own, made of the
 * run's seed, the pass and a count: the same step drops the same numbers, whatever ran before it.
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
 * The seed of a forward pass.
 * @param seed the run's
 * @param pass counts forward passes of the run, from 0
 * @param rank of several that make the pass together: each has chances of its own
 */
export const seedOfPass = (seed: number, pass: number, rank = 0): Tensor1D =>
  // A pass has fewer than 1,024 uses: 3 a layer and 2 more.
  tf.tensor1d([(seed + Math.imul(rank, 0x9e3779b1)) | 0, Math.imul(pass, 1024)], 'int32');

/** The seeds of all uses in a pass, made of the pass's. */
export function dropoutSource(seed: Tensor1D): DropoutSource {
  let uses = 0;
  return { nextSeed: () => tf.add(seed, tf.tensor1d([0, uses++], 'int32')) };
}

/** The kept numbers, and 0 for the others. */
export const applyMask = (x: Tensor, keep: Tensor): Tensor => select(keep, x, tf.scalar(0));
