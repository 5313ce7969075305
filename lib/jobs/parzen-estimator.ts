/**
 * The tree-structured Parzen estimator (TPE) of Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (NeurIPS 2011), as
 * Optuna's TPESampler with `multivariate=False`: each setting is sampled on its own. The best trials give a density l, the others
 * a density g; of 24 candidates from l, the one with the highest l / g is tried next. Our own, since the only package for Node is a
 * native addon that has to be compiled.
 */
import { boundsOf, isRange, positionOf, valueAt, type Dimension, type NumberRange } from './search-space.js';

/** Number of trials that are sampled at random before the first one from the densities. */
export const startupTrials = 10;
/** Number of candidates of which the best one is chosen. */
const candidates = 24;

/** A density over positions on a dimension's scale, or over the indices of its choices. */
export interface Density {
  /** A position, drawn from the density. */
  sample(random: () => number): number;
  /** The logarithm of the density, or of the probability of an integer or a choice. */
  logDensity(position: number): number;
}

/** A Parzen estimator of numbers: a mixture of normal distributions, truncated to the range. */
export interface NumberDensity extends Density {
  /** Of each observation, and of the prior, which comes last. They sum to 1. */
  weights: number[];
  /** Means on the range's scale. */
  means: number[];
  /** Standard deviations on the range's scale. */
  bandwidths: number[];
}

/** A Parzen estimator of choices. */
export interface ChoiceDensity extends Density {
  /** The probability of each choice. */
  probabilities: number[];
}

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

/**
 * The error function, with an absolute error of about 1e-16: Kummer's series up to 3, whose terms are all positive, and the
 * continued fraction of its complement beyond (Abramowitz and Stegun, 7.1.6 and 7.1.14).
 */
function erf(x: number): number {
  if (x < 0) return -erf(-x);
  const scale = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x > 3) {
    let fraction = x;
    for (let k = 60; k > 0; k--) fraction = x + k / 2 / fraction;
    return 1 - scale / fraction;
  }
  let total = 0;
  for (let term = 2 * x, n = 0; term > 1e-18 * total || n === 0; n++, term *= (2 * x * x) / (2 * n + 1)) total += term;
  return scale * total;
}

/** The probability that a standard normal variable lies between two numbers. */
const normalMass = (from: number, to: number) => (erf(to * Math.SQRT1_2) - erf(from * Math.SQRT1_2)) / 2;

/** The weights of trials, the oldest first: 1 for the last 25, the ones before fall linearly to 1 / n. Optuna's `default_weights`. */
function weightsOfTrials(count: number): number[] {
  const old = Math.max(0, count - 25);
  const step = old > 1 ? (1 - 1 / count) / (old - 1) : 0;
  return Array.from({ length: count }, (_, i) => (i < old ? 1 / count + i * step : 1));
}

/** Weights of observations and of the prior, which weighs as much as one trial. */
function mixtureWeights(observations: number): number[] {
  const weights = [...weightsOfTrials(observations), 1];
  const total = sum(weights);
  return weights.map((weight) => weight / total);
}

function sampleIndex(weights: number[], random: () => number): number {
  let rest = random();
  const index = weights.findIndex((weight) => (rest -= weight) < 0);
  return index < 0 ? weights.length - 1 : index;
}

/** A standard normal variable: Box and Muller. */
const sampleNormal = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/**
 * The bandwidth of each observation: the larger distance to its neighbours, at least 1 / min(100, n + 2) of the range ("magic clip").
 * The ends of the range count as neighbours only of a single observation.
 */
function bandwidthsOf(means: number[], from: number, to: number): number[] {
  const order = means.map((_, i) => i).sort((a, b) => means[a]! - means[b]!);
  const sorted = order.map((i) => means[i]!);
  const last = sorted.length - 1;
  const least = (to - from) / Math.min(100, means.length + 2);
  const bandwidths: number[] = [];
  for (const [rank, i] of order.entries()) {
    const below = rank > 0 ? sorted[rank]! - sorted[rank - 1]! : last === 0 ? sorted[0]! - from : 0;
    const above = rank < last ? sorted[rank + 1]! - sorted[rank]! : last === 0 ? to - sorted[0]! : 0;
    bandwidths[i] = Math.min(to - from, Math.max(least, below, above));
  }
  return bandwidths;
}

function numberDensity(range: NumberRange, observations: number[]): NumberDensity {
  const { from, to } = boundsOf(range);
  const weights = mixtureWeights(observations.length);
  const means = [...observations, (from + to) / 2];
  const bandwidths = [...bandwidthsOf(observations, from, to), to - from];
  /** The weight of each component, divided by its mass within the range. */
  const scaled = weights.map(
    (weight, i) => weight / normalMass((from - means[i]!) / bandwidths[i]!, (to - means[i]!) / bandwidths[i]!),
  );
  const onScale = (value: number) => (range.scale === 'log' ? Math.log(value) : value);
  /** Density of a component at a position, or of an integer its mass. */
  const component = (position: number, mean: number, bandwidth: number): number => {
    const z = (position - mean) / bandwidth;
    if (!range.integers) return Math.exp((-z * z) / 2) / (bandwidth * Math.sqrt(2 * Math.PI));
    const value = range.scale === 'log' ? Math.round(Math.exp(position)) : position;
    const [left, right] = [onScale(value - 0.5), onScale(value + 0.5)];
    return normalMass((left - mean) / bandwidth, (right - mean) / bandwidth);
  };
  return {
    weights,
    means,
    bandwidths,
    sample(random) {
      const i = sampleIndex(weights, random);
      // A third of the draws or more are within the range, since the mean is, and the bandwidth is at most its width.
      for (;;) {
        const position = means[i]! + bandwidths[i]! * sampleNormal(random);
        if (position >= from && position <= to) return positionOf(range, valueAt(range, position));
      }
    },
    logDensity: (position) =>
      Math.log(sum(scaled.map((weight, i) => weight * component(position, means[i]!, bandwidths[i]!)))),
  };
}

/** Each observation gives its choice 1, and all choices together as much as the prior, 1 / (n + 1) each. */
function choiceDensity(choices: number, observations: number[]): ChoiceDensity {
  const prior = 1 / (observations.length + 1);
  const kernels = [...observations, -1];
  const weights = mixtureWeights(observations.length);
  const probabilities = Array.from({ length: choices }, (_, choice) =>
    sum(
      kernels.map((observed, i) =>
        observed < 0
          ? weights[i]! / choices
          : (weights[i]! * (prior + (observed === choice ? 1 : 0))) / (1 + choices * prior),
      ),
    ),
  );
  return {
    probabilities,
    sample: (random) => sampleIndex(probabilities, random),
    logDensity: (choice) => Math.log(probabilities[choice]!),
  };
}

/**
 * Estimates the density of a setting.
 * @param observations positions of the trials' values, the oldest trial first
 */
export function parzenEstimator(dimension: NumberRange, observations: number[]): NumberDensity;
export function parzenEstimator(dimension: Dimension, observations: number[]): Density;
export function parzenEstimator(dimension: Dimension, observations: number[]): Density {
  return isRange(dimension) ? numberDensity(dimension, observations) : choiceDensity(dimension.length, observations);
}

/** What TPE needs of a trial. */
export interface ObservedTrial {
  number: number;
  /** Running trials count as bad ones, so that parallel ones are not sampled nearby: Optuna's constant liar. */
  state: 'completed' | 'pruned' | 'running';
  /** The objective, which is maximized; only of a completed trial. */
  value?: number;
  /** Intermediate values of the objective. */
  evaluations: number[];
}

/**
 * Splits trials into the best ones, min(⌈0.1 n⌉, 25), and the others. Completed trials come before pruned ones, of which those with more
 * evaluations come first, and of these those with the better last one.
 * @returns both in the order of their numbers
 */
export function splitTrials<Trial extends ObservedTrial>(trials: Trial[]): { best: Trial[]; others: Trial[] } {
  const ranked = [
    ...trials.filter(({ state }) => state === 'completed').sort((a, b) => b.value! - a.value!),
    ...trials
      .filter(({ state }) => state === 'pruned')
      .sort(
        (a, b) =>
          b.evaluations.length - a.evaluations.length || (b.evaluations.at(-1) ?? 0) - (a.evaluations.at(-1) ?? 0),
      ),
  ];
  const best = ranked.slice(0, Math.min(Math.ceil(0.1 * ranked.length), 25));
  const byNumber = (a: Trial, b: Trial) => a.number - b.number;
  return { best: best.sort(byNumber), others: trials.filter((trial) => !best.includes(trial)).sort(byNumber) };
}

/**
 * Samples the next position of a setting.
 * @param best positions of the best trials, the oldest first
 * @param others positions of the other trials
 */
export function sampleByTpe(dimension: Dimension, best: number[], others: number[], random: () => number): number {
  const [good, bad] = [parzenEstimator(dimension, best), parzenEstimator(dimension, others)];
  const ratio = (position: number) => good.logDensity(position) - bad.logDensity(position);
  return Array.from({ length: candidates }, () => good.sample(random))
    .map((position) => ({ position, ratio: ratio(position) }))
    .reduce((a, b) => (b.ratio > a.ratio ? b : a)).position;
}
