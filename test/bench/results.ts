// What a run of the benchmark leaves: a file that the README's table and chart are made from.
import path from 'node:path';
import { root } from '../checkout.js';
import type { SideName, Work } from './sides.js';

export interface Measurement extends Omit<Work, 'steps' | 'rounds'>, SideName {
  samplesPerSecond: number;
  /** Padding left out. */
  tokensPerSecond: number;
  /** Of the machine's own rate of matrix products in this precision. */
  shareOfProductRate: number;
  /** Largest resident memory of the process, in bytes. */
  peakBytes: number;
  /** Each turn's samples/s. */
  turns: number[];
}

export interface Results {
  date: string;
  machine: { processor: string; cores: number; memoryBytes: number; gpu: string | null };
  versions: Record<string, string>;
  reviews: string;
  /** Operations per second of 1024 x 768 x 3072 products by TensorFlow. */
  productRates: Record<string, number>;
  measurements: Measurement[];
}

/** The results that the README tells of. */
export const resultsFile = path.join(root, 'test/bench/results.json');

/** The measurement of this side on this work. */
export const find = (
  { measurements }: Results,
  wanted: Pick<Measurement, 'mode' | 'rows' | 'batch' | 'side' | 'precision'> & { engine?: string },
): Measurement | undefined =>
  measurements.find((each) => Object.entries(wanted).every(([key, value]) => each[key as keyof Measurement] === value));
