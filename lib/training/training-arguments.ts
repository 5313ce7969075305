/** Everything a training run can be told, under the names of Hugging Face's TrainingArguments, in camelCase. */
import { SettingsError } from '../errors.js';
import type { Freeze } from './freeze.js';
import type { SchedulerType } from './schedule.js';

/** What a training run can be told. */
export interface TrainingArguments {
  /** Peak learning rate. @default 5e-5 */
  learningRate: number;
  /** Passes over the training rows. @default 3 */
  numTrainEpochs: number;
  /** Updates after which training ends, whatever the epochs; -1 for no such end. @default -1 */
  maxSteps: number;
  /** Rows in a training batch, of all ranks together: another number of them changes nothing of what is learnt. @default 16 */
  trainBatchSize: number;
  /** Rows in an evaluation batch, of which each rank takes some. @default 64 */
  evalBatchSize: number;
  /** Batches whose gradients make one update. @default 1 */
  gradientAccumulationSteps: number;
  /** Not applied to biases and layer norms. @default 0.01 */
  weightDecay: number;
  /** Share of the updates in which the learning rate rises. @default 0.1 */
  warmupRatio: number;
  /** How it falls afterwards. @default 'linear' */
  lrSchedulerType: SchedulerType;
  /** Gradients are scaled down to this joint length; 0 for never. @default 1 */
  maxGradNorm: number;
  /** @default 0.9 */
  adamBeta1: number;
  /** @default 0.999 */
  adamBeta2: number;
  /** @default 1e-8 */
  adamEpsilon: number;
  /** Batches of texts of like length, padded to their longest. @default true */
  groupByLength: boolean;
  /** Updates between two looks at the validation rows; 0 for one an epoch, of a stream ten. @default 0 */
  evalSteps: number;
  /** Evaluations without improvement after which training ends; 0 for never. @default 3 */
  earlyStoppingPatience: number;
  /** The least gain in validation accuracy that counts as improvement. @default 0.001 */
  earlyStoppingThreshold: number;
  /** Updates between two checkpoints, where there are any, besides those at evaluations and at the end; 0 for no others. @default 500 */
  saveSteps: number;
  /** The newest checkpoints that are kept, besides the best. @default 2 */
  saveTotalLimit: number;
  /** Ends with the parameters of the best evaluation, not the last. @default true */
  loadBestModelAtEnd: boolean;
  /** What stays as it is, see Freeze. @default 'none' */
  freeze: Freeze;
  /** Of shuffling and dropout. @default 42 */
  seed: number;
}

/** What holds for each argument that is not given. */
export const defaultTrainingArguments: TrainingArguments = {
  learningRate: 5e-5,
  numTrainEpochs: 3,
  maxSteps: -1,
  trainBatchSize: 16,
  evalBatchSize: 64,
  gradientAccumulationSteps: 1,
  weightDecay: 0.01,
  warmupRatio: 0.1,
  lrSchedulerType: 'linear',
  maxGradNorm: 1,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  groupByLength: true,
  evalSteps: 0,
  earlyStoppingPatience: 3,
  earlyStoppingThreshold: 0.001,
  saveSteps: 500,
  saveTotalLimit: 2,
  loadBestModelAtEnd: true,
  freeze: 'none',
  seed: 42,
};

const positive = ['numTrainEpochs', 'adamEpsilon'] as const;
const notNegative = ['learningRate', 'weightDecay', 'maxGradNorm', 'earlyStoppingThreshold'] as const;
const shares = ['warmupRatio', 'adamBeta1', 'adamBeta2'] as const;
const counts = ['trainBatchSize', 'evalBatchSize', 'gradientAccumulationSteps', 'saveTotalLimit'] as const;
const countsOrZero = ['evalSteps', 'saveSteps', 'earlyStoppingPatience'] as const;

/**
 * Fills in what is not given and refuses what cannot be.
 * @throws SettingsError naming the argument, its value and what it may be
 */
export function completeTrainingArguments(given: Partial<TrainingArguments> = {}): TrainingArguments {
  const unknown = Object.keys(given).find((name) => !(name in defaultTrainingArguments));
  if (unknown)
    throw new SettingsError(
      'SETTING_UNKNOWN',
      `There is no training argument '${unknown}'. There are: ${Object.keys(defaultTrainingArguments).join(', ')}.`,
      { name: unknown },
    );
  const complete = { ...defaultTrainingArguments, ...given };
  const check = (names: readonly (keyof TrainingArguments)[], holds: (value: number) => boolean, allowed: string) => {
    for (const name of names)
      if (!holds(complete[name] as number))
        throw new SettingsError('SETTING_INVALID', `${name} is ${String(complete[name])}; it must be ${allowed}.`, {
          name,
          value: complete[name],
        });
  };
  check(positive, (value) => value > 0 && Number.isFinite(value), 'above 0');
  check(notNegative, (value) => value >= 0 && Number.isFinite(value), '0 or more');
  check(shares, (value) => value >= 0 && value < 1, 'at least 0 and below 1');
  check(counts, (value) => Number.isInteger(value) && value >= 1, 'a whole number of at least 1');
  check(countsOrZero, (value) => Number.isInteger(value) && value >= 0, 'a whole number of at least 0');
  check(['seed'], Number.isInteger, 'a whole number');
  check(
    ['maxSteps'],
    (value) => value === -1 || (Number.isInteger(value) && value >= 1),
    '-1 or a whole number of at least 1',
  );
  if (!['linear', 'cosine', 'constant'].includes(complete.lrSchedulerType))
    throw new SettingsError(
      'SETTING_INVALID',
      `lrSchedulerType is '${complete.lrSchedulerType}'; it must be linear, cosine or constant.`,
      { name: 'lrSchedulerType', value: complete.lrSchedulerType },
    );
  const { freeze } = complete;
  if (
    !['none', 'embeddings', 'encoder'].includes(freeze as string) &&
    !(Number.isInteger(freeze) && Number(freeze) >= 1)
  )
    throw new SettingsError(
      'SETTING_INVALID',
      `freeze is '${freeze}'; it must be none, embeddings, encoder, or how many layers from below (1 or more).`,
      { name: 'freeze', value: freeze },
    );
  return complete;
}
