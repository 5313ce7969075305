// What runs of the benchmarks leave: files that the README's tables and charts are made from.
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

/** Of `npm run bench`. */
export interface Results {
  date: string;
  machine: { processor: string; cores: number; memoryBytes: number; gpu: string | null };
  versions: Record<string, string>;
  /** What the reviews are that each side batches in its own way. */
  reviews: string;
  /** Operations per second of 1024 x 768 x 3072 products by TensorFlow. */
  productRates: Record<string, number>;
  measurements: Measurement[];
}

export interface AccuracyResult {
  reviews: string;
  precision: string;
  epochs: number;
  bagOfWords: number;
  accuracy: number;
  interval: { low: number; high: number };
  /** Held-out reviews. */
  count: number;
  /** Of training, a running mean. */
  losses: { step: number; loss: number }[];
}

/** Of `npm run bench:accuracy`. */
export interface AccuracyResults {
  runs: AccuracyResult[];
  savedModel: { logits: number; largestDifference: number; words: string };
}

/** Of `npm run bench:serving`. */
export interface ServingResults {
  date: string;
  machine: { processor: string; cores: number };
  /** What was sent, a review a request. */
  reviews: string;
  /** At once. */
  clients: number;
  sides: {
    name: string;
    requestsPerSecond: number;
    /** Milliseconds. */
    p50: number;
    p99: number;
    /** Each turn's requests a second. */
    turns: number[];
  }[];
}

const folder = path.join(root, 'test/bench/results');
export const resultsFile = path.join(folder, 'speed.json');
export const accuracyFile = path.join(folder, 'accuracy.json');
export const servingFile = path.join(folder, 'serving.json');
export const speedPicture = path.join(folder, 'speed.png');
export const lossPicture = path.join(folder, 'losses.png');
