/** The values of a sweep's next run, at random or by TPE. They depend on the seed, the trial's number and the trials so far only. */
import { seededRandom } from '../reviews/random.js';
import type { SettingName } from '../settings/settings.js';
import { sampleByTpe, splitTrials, startupTrials, type ObservedTrial } from './parzen-estimator.js';
import {
  boundsOf,
  isRange,
  positionOf,
  valueAt,
  type Dimension,
  type SampledValues,
  type SearchSpace,
} from './search-space.js';

/** How the values of runs are chosen: all combinations, at random, or by the tree-structured Parzen estimator. */
export const samplers = ['grid', 'random', 'tpe'] as const;

/** A sampler's name. */
export type SamplerName = (typeof samplers)[number];

/** A trial whose values TPE takes into account. */
export type SampledTrial = ObservedTrial & { values: SampledValues };

function sampleUniformly(dimension: Dimension, random: () => number): number {
  if (!isRange(dimension)) return Math.floor(random() * dimension.length);
  const { from, to } = boundsOf(dimension);
  return from + random() * (to - from);
}

/**
 * Samples the values of a trial.
 * @param seed of the sweep
 * @param number of the trial, from 0
 * @param trials completed, pruned and running trials, by number; failed ones are left out, as Optuna does
 */
export function sampleValues(
  sampler: Exclude<SamplerName, 'grid'>,
  space: SearchSpace,
  seed: number,
  number: number,
  trials: SampledTrial[],
): SampledValues {
  const isRandom = sampler === 'random' || trials.filter(({ state }) => state !== 'running').length < startupTrials;
  const { best, others } = splitTrials(trials);
  const sample = (setting: SettingName, dimension: Dimension, random: () => number): number => {
    if (isRandom) return sampleUniformly(dimension, random);
    const positions = (from: SampledTrial[]) => from.map(({ values }) => positionOf(dimension, values[setting]!));
    return sampleByTpe(dimension, positions(best), positions(others), random);
  };
  const dimensions = Object.entries(space) as [SettingName, Dimension][];
  return Object.fromEntries(
    dimensions.map(([setting, dimension], i) => {
      const position = sample(setting, dimension, seededRandom(seed, number, i));
      return [setting, isRange(dimension) ? valueAt(dimension, position) : dimension[position]!];
    }),
  );
}
