/** Settings that contradict each other, and settings that take effect only with another one. */
import { SettingsError } from '../errors.js';
import { schema } from './schema.js';

type Name = keyof typeof schema;

/** Pairs of settings of which only one may be set, and the reason. */
const conflicts: { names: [Name, Name]; reason: (first: string, second: string) => string }[] = [
  ...(['maxTrainSamples', 'overfitBatches'] as const).map((limit) => ({
    names: ['streaming', limit] as [Name, Name],
    reason: (streaming: string, name: string) =>
      `${streaming} trains on the full training set, ${name} on a part of it.`,
  })),
  {
    names: ['streaming', 'fold'],
    reason: (streaming, fold) =>
      `${streaming} trains on rows that are not in memory, so they cannot be divided into folds (${fold}).`,
  },
  {
    names: ['streaming', 'teacher'],
    reason: (streaming, teacher) =>
      `${teacher} predicts all training reviews before training; ${streaming} does not keep them.`,
  },
  {
    names: ['labelSmoothingFactor', 'focalGamma'],
    reason: (smoothing, gamma) =>
      `${smoothing} and ${gamma} are both set, but focal loss is not defined for smoothed labels.`,
  },
  {
    names: ['loraRank', 'freeze'],
    reason: (rank, freeze) =>
      `${rank} trains matrices in all layers and freezes all else but the head; ${freeze} freezes other parameters.`,
  },
];

/** Settings that take effect only with another one, and an example of it. */
const requirements: { names: Name[]; required: Name; example: string }[] = [
  { names: ['loraAlpha', 'loraDropout', 'loraTargetModules'], required: 'loraRank', example: '8' },
  {
    names: ['distillationAlpha', 'distillationTemperature'],
    required: 'teacher',
    example: 'the folder of a fine-tuned model',
  },
];

/**
 * Checks that settings do not contradict each other.
 * @param settings all settings, or those of a Trainer
 * @param nameOf the name of a setting in the error
 * @throws SettingsError
 */
export function checkConflicts(settings: Partial<Record<Name, unknown>>, nameOf: (name: Name) => string): void {
  const isSet = (name: Name) => (settings[name] ?? schema[name].default) !== schema[name].default;
  for (const { names, reason } of conflicts)
    if (names.every(isSet))
      throw new SettingsError('SETTING_CONFLICT', `${reason(nameOf(names[0]), nameOf(names[1]))} Remove one of them.`, {
        names,
      });
  for (const { names, required, example } of requirements) {
    const name = names.find(isSet);
    // A Trainer does not have all settings.
    if (name && required in settings && !isSet(required))
      throw new SettingsError(
        'SETTING_MISSING',
        `${nameOf(name)} is set, but not ${nameOf(required)}, without which it has no effect. Set it, for example to ${example}.`,
        { names: [name, required] },
      );
  }
}
