// The result files of the benchmarks, from which the tables and charts of the README are generated. Speed is stored by CPU or
// GPU: a measurement replaces only the file of the same one.
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../checkout.js';
import type { Machine } from './machine.js';
import type { SideName, Workload } from './sides.js';

export interface Measurement extends Omit<Workload, 'steps' | 'rounds'>, SideName {
  samplesPerSecond: number;
  /** Without padding. */
  tokensPerSecond: number;
  /**
   * Tokens per second of fixed batches of the same size, in alternating turns; only Tunebook's training on its own batches.
   */
  fixedTokensPerSecond?: number;
  /** Operations per second, also for padding, as a fraction of the machine's matrix-product rate in this precision. */
  shareOfProductRate: number;
  /** Peak resident memory of the process, in bytes. */
  peakBytes: number;
  /** Samples per second of each turn. */
  turns: number[];
}

/** Tokens per second of own batches as a percentage of those of fixed batches. */
export const shareOfFixed = ({ tokensPerSecond, fixedTokensPerSecond }: Measurement): string =>
  `${((100 * tokensPerSecond) / fixedTokensPerSecond!).toFixed(0)} %`;

/** Result of `npm run bench`. */
export interface Results {
  date: string;
  machine: Machine;
  versions: Record<string, string>;
  /** Description of the reviews that each side batches in its own way. */
  reviews: string;
  /** How Tunebook batches them. */
  ownBatches: string;
  /** Operations per second of TensorFlow's 1024 x 768 x 3072 matrix products, by precision. */
  productRates: Record<string, number>;
  measurements: Measurement[];
}

/** Speed of training on texts of one length. */
export interface LengthMeasurement extends SideName {
  model: string;
  cores: number;
  /** Tokens per text. */
  length: number;
  tokensPerSecond: number;
  /** Tokens per second of each turn. */
  turns: number[];
}

/** Result of `npm run bench:lengths`. */
export interface LengthResults {
  date: string;
  machine: Machine;
  versions: Record<string, string>;
  batchTokens: number;
  measurements: LengthMeasurement[];
}

/** Training speed of a model family. */
export interface FamilyMeasurement extends SideName {
  model: string;
  samplesPerSecond: number;
  /** Without padding. */
  tokensPerSecond: number;
  peakBytes: number;
  /** Samples per second of each turn. */
  turns: number[];
}

/** Result of `npm run bench:families`. */
export interface FamilyResults {
  date: string;
  machine: Machine;
  versions: Record<string, string>;
  /** Description of the reviews. */
  reviews: string;
  measurements: FamilyMeasurement[];
}

export interface AccuracyResult {
  reviews: string;
  precision: string;
  epochs: number;
  bagOfWords: number;
  accuracy: number;
  interval: { low: number; high: number };
  /** Number of held-out reviews. */
  count: number;
  /** Smoothed training losses. */
  losses: { step: number; loss: number }[];
}

/** Result of `npm run bench:accuracy`. */
export interface AccuracyResults {
  runs: AccuracyResult[];
  /** Comparison with transformers; `words` contains the warnings that it logged. */
  savedModel: { logits: number; largestDifference: number; words: string };
}

/** Result of `npm run bench:serving`. */
export interface ServingResults {
  date: string;
  machine: { processor: string; cores: number };
  /** Name of the reviews that were sent, one per request. */
  reviews: string;
  /** Number of texts. */
  texts: number;
  /** Number of concurrent clients. */
  clients: number;
  /** Servers. */
  sides: {
    name: string;
    requestsPerSecond: number;
    /** Latency percentiles in milliseconds. */
    p50: number;
    p99: number;
    peakBytes: number;
    /** Requests per second of each turn. */
    turns: number[];
  }[];
  /** Programs that score the texts without a server. */
  scorers: { name: string; textsPerSecond: number; peakBytes: number }[];
}

/** A run of `npm run bench:few-labels`. */
export interface FewLabelsRun {
  reviews: string;
  /** Labels per class. */
  labels: number;
  seed: number;
  method: string;
  accuracy: number;
  /** Mean of the classes' recalls, from 0 to 1. */
  meanRecall: number;
  /** Training time. */
  seconds: number;
  /** Optimizer steps. */
  steps: number;
}

/** Result of `npm run bench:few-labels`. */
export interface FewLabelsResults {
  date: string;
  machine: Machine;
  /** From this number of labels per class, both SetFits end after so many steps. */
  limit: { fromLabels: number; steps: number };
  /** Number of test reviews, by name of the reviews. */
  tests: Record<string, number>;
  runs: FewLabelsRun[];
}

const folder = path.join(root, 'test/bench/results');

/**
 * The file of a machine's results.
 * @param kind kind of results
 * @param machine the machine
 * @param pytorch version of PyTorch if it is not that of requirements.txt
 */
export function resultsFile(
  kind: 'speed' | 'lengths' | 'families',
  { gpu, processor }: Machine,
  pytorch?: string,
): string {
  const name = `${kind} ${gpu ?? processor}${pytorch ? ` PyTorch ${pytorch}` : ''}`;
  return path.join(
    folder,
    `${name
      .toLowerCase()
      .match(/[a-z0-9.]+/g)!
      .join('-')}.json`,
  );
}

/** Returns the results of all machines by file, the newest first. */
export function readResults<Kind extends { date: string }>(kind: 'speed' | 'lengths' | 'families'): [string, Kind][] {
  return fs
    .readdirSync(folder)
    .filter((name) => name.startsWith(`${kind}-`) && name.endsWith('.json'))
    .map((name): [string, Kind] => {
      const file = path.join(folder, name);
      return [file, JSON.parse(fs.readFileSync(file, 'utf8')) as Kind];
    })
    .sort(([, a], [, b]) => b.date.localeCompare(a.date));
}

/** The picture of a result file. */
export const pictureOf = (file: string): string => file.replace(/\.json$/, '.png');

export const accuracyFile = path.join(folder, 'accuracy.json');
export const fewLabelsFile = path.join(folder, 'few-labels.json');
/** The picture of few labels on the reviews of one name. */
export const fewLabelsPicture = (reviews: string): string => path.join(folder, `few-labels-${reviews}.png`);
export const servingFile = path.join(folder, 'serving.json');
export const lossPicture = path.join(folder, 'losses.png');
