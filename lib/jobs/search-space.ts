/**
 * The search space of a sweep: for each setting a list of choices, or a range of numbers such as `1e-5..1e-3`. Read from the text of
 * a flag, since a sweep has the flags of `finetune`.
 */
import { SettingsError } from '../errors.js';
import { flagOf } from '../settings/setting-text.js';
import { describeSetting, type SettingName } from '../settings/settings.js';
import type { Scale } from '../settings/setting.js';

/** All numbers from `low` to `high`, both included. */
export interface NumberRange {
  low: number;
  high: number;
  scale: Scale;
  /** Whether only integers are sampled. */
  integers: boolean;
}

/** The values of a setting: choices as they were written, or a range. */
export type Dimension = string[] | NumberRange;

/** Choices or a range by setting. */
export type SearchSpace = Partial<Record<SettingName, Dimension>>;

/** One value by setting, as text. */
export type SampledValues = Partial<Record<SettingName, string>>;

/** Settings that cannot vary in a sweep, since their text contains commas or they apply to all runs. */
const fixed: SettingName[] = [
  ...(['dataset', 'datasetConfig', 'textColumns', 'textPairColumn', 'labelColumn'] as const),
  ...(['labelMapping', 'loraTargetModules'] as const),
  ...(['fold', 'runFolder', 'reportTo'] as const),
];

/** A run of a sweep. */
export interface PlannedRun {
  /** Name of its folder in the sweep's folder. */
  name: string;
  values: SampledValues;
}

/** Whether values are a range. */
export const isRange = (dimension: Dimension): dimension is NumberRange => !Array.isArray(dimension);

/**
 * Reads the text of a flag: choices separated by commas, or a range `LOW..HIGH`, with `:log` or `:linear` for another scale than
 * that of the setting. Only settings with numbers have ranges; of others, `..` is part of a value.
 * @throws SettingsError for something between a range and choices, or limits that no range has
 */
export function readDimension(setting: SettingName, text: string): Dimension {
  const { numbers, scale = 'linear', ...declared } = describeSetting(setting);
  if (fixed.includes(setting)) return [text];
  const reject = (reason: string) =>
    new SettingsError('SETTING_INVALID', `${flagOf(setting)} is '${text}'. ${reason}`, { name: setting, value: text });
  if (!numbers || !text.includes('..')) {
    if (/^[\d.e-]+\.\.[\d.e-]+$/.test(text) && declared.read(text) === undefined)
      throw reject(`It has no range, since it takes ${declared.allowed}. List values, separated by commas.`);
    return (declared.split?.(text) ?? text.split(',')).map((value) => value.trim());
  }
  const [, lowText = '', highText = '', suffix] = /^([^,:]+?)\.\.([^,:]+?)(?::(\w+))?$/.exec(text.trim()) ?? [];
  if (lowText === '' || (suffix !== undefined && suffix !== 'log' && suffix !== 'linear'))
    throw reject('Write a range as LOW..HIGH, LOW..HIGH:log or LOW..HIGH:linear, or list values: 1,2,3.');
  const [low, high] = [Number(lowText), Number(highText)];
  const range: NumberRange = { low, high, scale: suffix ?? scale, integers: numbers === 'integers' };
  // -1 of some settings means no limit; the integers above it are not values of the setting.
  const isValid = [low, high, ...(range.integers ? [low + 1] : [])].every(
    (value) => declared.read(value) !== undefined && typeof declared.read(value) === 'number',
  );
  if (!isValid) throw reject(`Both ends must be ${declared.allowed}.`);
  if (low === high) throw reject(`Both ends are equal. Write a single value: ${lowText}.`);
  if (low > high) throw reject(`The lower end comes first: ${highText}..${lowText}.`);
  if (range.scale === 'log' && low <= 0)
    throw reject(
      `A logarithmic scale starts above 0. Raise ${lowText}, or choose a linear one: ${lowText}..${highText}:linear.`,
    );
  if (declared.fractionAlias && low < 1 && high >= 1)
    throw reject('Below 1 it is a fraction of all steps, from 1 on a number of steps. Use a range of one of them.');
  return range;
}

/** Writes choices or a range as `readDimension` reads them. */
export const describeDimension = (dimension: Dimension): string =>
  isRange(dimension) ? `${dimension.low}..${dimension.high}:${dimension.scale}` : dimension.join(',');

/** Some values of a dimension that must be valid settings: all choices, or both ends. */
export const valuesToCheck = (dimension: Dimension): string[] =>
  isRange(dimension) ? [String(dimension.low), String(dimension.high)] : dimension;

/** The limits between which a range is continuous: of integers, half a step beyond both ends. On a log scale, their logarithms. */
export function boundsOf({ low, high, scale, integers }: NumberRange): { from: number; to: number } {
  const half = integers ? 0.5 : 0;
  const [from, to] = [low - half, high + half];
  return scale === 'log' ? { from: Math.log(from), to: Math.log(to) } : { from, to };
}

/**
 * Converts a position on a range's scale to text: an integer, or a number with 4 significant digits (on a linear scale, of the
 * range's width), so that the value can be read and given to `finetune`.
 */
export function valueAt({ low, high, scale, integers }: NumberRange, position: number): string {
  const exact = scale === 'log' ? Math.exp(position) : position;
  const unit = integers ? 1 : 10 ** (Math.floor(Math.log10(scale === 'log' ? exact : high - low)) - 3);
  // Division by a power of ten is exact to the last digit, multiplication with a fraction is not.
  const rounded = unit < 1 ? Math.round(exact / unit) / Math.round(1 / unit) : Math.round(exact / unit) * unit;
  const value = Math.min(high, Math.max(low, rounded));
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
}

/** A value as a position on the dimension's scale: the number or its logarithm; of choices, the index. */
export function positionOf(dimension: Dimension, value: string): number {
  if (!isRange(dimension)) return dimension.indexOf(value);
  return dimension.scale === 'log' ? Math.log(Number(value)) : Number(value);
}

/** Describes values: `learningRate 1e-5, seed 3`. */
export const describeValues = (values: SampledValues): string =>
  (Object.keys(values) as SettingName[]).map((setting) => `${setting} ${values[setting]}`).join(', ') || 'as given';
