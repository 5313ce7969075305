/**
 * The processes that train one model together, as each of them sees the others, whether there are any or not: what is
 * summed, told and waited for goes through here. Every rank makes the same calls in the same order; a call ends when all
 * have made it.
 */
import type { Tensor } from '@tensorflow/tfjs';
import type { ResourceVariable } from '../tensorflow/variables.js';

/** See the file's header. */
export interface Ranks {
  /** This process's number. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** Whether this is the one that writes what is kept. */
  readonly isChief: boolean;
  /**
   * The sum of each tensor over all ranks, in its own type. May be captured.
   * @param key the same on all ranks for the same sum, and no other's; see `sumKeys`
   */
  sum(tensors: Tensor[], key: number): Tensor[];
  /** The sums of some numbers over all ranks, in float32. */
  sumNumbers(numbers: Float32Array): Float32Array;
  /** What each rank has to tell, in order of the ranks; anything that JSON can say. */
  exchange<Told>(told: Told): Told[];
  /** What the chief has to tell; what the others give does not matter. */
  fromChief<Told>(told: Told): Told;
  /** Gives all ranks the chief's values. */
  copyFromChief(variables: ResourceVariable[]): void;
}

/** One process that trains alone. */
export const alone: Ranks = {
  rank: 0,
  size: 1,
  isChief: true,
  sum: (tensors) => tensors,
  sumNumbers: (numbers) => numbers,
  exchange: (told) => [told],
  fromChief: (told) => told,
  copyFromChief: () => {},
};

/** This rank's share of a list: every n-th thing. */
export const ownOf = <Thing>({ rank, size }: Pick<Ranks, 'rank' | 'size'>, list: Thing[]): Thing[] =>
  list.filter((_, i) => i % size === rank);

/** Keys of the sums that are captured: a graph holds them for good. Each sum of tensors may use a thousand. */
export const sumKeys = { gradients: 1000, results: 2000 } as const;
