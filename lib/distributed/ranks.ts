/**
 * The interface between processes that train one model together. All ranks must make the same calls in the same order;
 * a call returns when all ranks have made it. A single process uses the same interface.
 */
import type { Tensor } from '@tensorflow/tfjs';
import type { ResourceVariable } from '../tensorflow/variables.js';

/** The ranks, as seen by one of them. */
export interface Ranks {
  /** The number of this process, from 0. */
  readonly rank: number;
  /** The number of ranks. */
  readonly size: number;
  /** Whether this rank writes the results. */
  readonly isChief: boolean;
  /**
   * Sums each tensor over all ranks, in its own type. May be captured.
   * @param key identifies the sum: equal on all ranks, and different from those of other sums; see `sumKeys`
   */
  sum(tensors: Tensor[], key: number): Tensor[];
  /** Sums numbers over all ranks, in float32. */
  sumNumbers(numbers: Float32Array): Float32Array;
  /** Returns the values of all ranks, in order of the ranks. They must be JSON values. */
  exchange<Value>(value: Value): Value[];
  /** Returns the chief's value; the values of the other ranks are ignored. */
  fromChief<Value>(value: Value): Value;
  /** Copies the chief's values to the variables of all ranks. */
  copyFromChief(variables: ResourceVariable[]): void;
}

/** The ranks of a process that trains alone. */
export const singleProcess: Ranks = {
  rank: 0,
  size: 1,
  isChief: true,
  sum: (tensors) => tensors,
  sumNumbers: (numbers) => numbers,
  exchange: (value) => [value],
  fromChief: (value) => value,
  copyFromChief: () => {},
};

/** The part of a list that this rank processes: every n-th item. */
export const partOfRank = <Item>({ rank, size }: Pick<Ranks, 'rank' | 'size'>, list: Item[]): Item[] =>
  list.filter((_, i) => i % size === rank);

/** First keys of captured sums, which are constants in the graph. Each sum of tensors may use 1,000 keys. */
export const sumKeys = { gradients: 1000, results: 2000 } as const;
