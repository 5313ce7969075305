/**
 * The class weights of a training set. The weighted loss is that of PyTorch's CrossEntropyLoss(weight=...): the sum of
 * weight * loss over the rows, divided by the sum of their weights. `balanced` is scikit-learn's.
 */
import { SettingsError } from '../errors.js';
import { balancedWeights } from '../evaluation/count-classes.js';
import type { ClassWeights } from '../settings/class-weights.js';
import { didYouMean } from '../settings/did-you-mean.js';
import { settingText } from '../settings/setting-text.js';

/**
 * Weights by class number from weights by class name; classes that are not named have the weight 1.
 * @throws SettingsError for a name that is not a class
 */
export function weightsByNumber(weights: Record<string, number>, labels: string[]): number[] {
  for (const name of Object.keys(weights))
    if (!labels.includes(name))
      throw new SettingsError(
        'CLASS_WEIGHT_UNKNOWN',
        `${settingText('classWeights')} has a weight for '${name}', which is not a class. The classes are ${labels.join(', ')}.${didYouMean(name, labels)}`,
        { class: name, labels },
      );
  return labels.map((label) => (Object.hasOwn(weights, label) ? weights[label]! : 1));
}

/**
 * The weights that a setting gives the classes of a training set, by class number.
 * @param setting of the setting `classWeights`
 * @param labels class names by class number
 * @param counts training rows by class number, for `balanced`
 * @returns undefined for `none`
 * @throws SettingsError for a name that is not a class
 */
export function classWeightsOf(setting: ClassWeights, labels: string[], counts: () => number[]): number[] | undefined {
  if (setting === 'none') return undefined;
  return setting === 'balanced' ? balancedWeights(counts()) : weightsByNumber(setting, labels);
}

/** Class weights as text, with three digits: `negative 16.7, positive 0.515`. */
export const describeClassWeights = (weights: Record<string, number>): string =>
  Object.entries(weights)
    .map(([name, weight]) => `${name} ${Number(weight.toPrecision(3))}`)
    .join(', ');
