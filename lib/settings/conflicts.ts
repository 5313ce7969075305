/** Settings that contradict each other, and settings that take effect only with another one. */
import { SettingsError } from '../errors.js';
import { schema } from './schema.js';

type Name = keyof typeof schema;

type Values = Partial<Record<Name, unknown>>;

/** Settings that contradict each other. */
interface Conflict {
  names: [Name, Name];
  /** @param first name of the first setting, and so on */
  reason: (first: string, second: string, values: Values) => string;
  /** @default both differ from their defaults */
  when?: (values: Values) => boolean;
}

/** Settings of a loss by gradients, which a method that fits the head has not. */
const lossSettings = ['labelSmoothingFactor', 'focalGamma', 'teacher', 'loraRank'] as const;

/** Settings of exclusive classes, which regression and multi-label classification do not have. */
const ofClasses = ['labelMapping', 'classWeights', 'labelSmoothingFactor', 'focalGamma'] as const;

/** What a problem type predicts instead of one class. */
const predicts = ({ problemType }: Values): string =>
  problemType === 'regression' ? 'a number' : 'all classes that apply, each by itself';

const conflicts: Conflict[] = [
  ...(['maxTrainSamples', 'overfitBatches'] as const).map((limit): Conflict => ({
    names: ['streaming', limit],
    reason: (streaming, name) => `${streaming} trains on the full training set, ${name} on a part of it.`,
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
  {
    names: ['method', 'streaming'],
    reason: (method, streaming, values) =>
      `${method} ${String(values.method)} needs all training reviews at once, ${streaming} reads them in parts.`,
  },
  {
    names: ['method', 'freeze'],
    when: ({ method, freeze }) =>
      (method === 'head' && freeze !== 'none') || (method === 'setfit' && freeze === 'encoder'),
    reason: (method, freeze, values) =>
      values.method === 'head'
        ? `${method} head freezes the whole encoder, so that ${freeze} has no effect.`
        : `${method} setfit trains the encoder, which ${freeze} freezes; ${method} head does not.`,
  },
  ...lossSettings.map((other): Conflict => ({
    names: ['method', other],
    reason: (method, name, values) =>
      `${method} ${String(values.method)} fits the head by logistic regression, in which ${name} has no effect.`,
  })),
  // Before class weights, whose default depends on the method.
  {
    names: ['problemType', 'method'],
    reason: (problemType, method, values) =>
      `${method} ${String(values.method)} fits the head by logistic regression on exclusive classes, but ${problemType} predicts ${predicts(values)}.`,
  },
  ...ofClasses.map((name): Conflict => ({
    names: ['problemType', name],
    reason: (problemType, setting, values) =>
      `${setting} is for exclusive classes, but ${problemType} predicts ${predicts(values)}.`,
  })),
  {
    names: ['problemType', 'teacher'],
    reason: (problemType, teacher, values) =>
      `${teacher} predicts one class, but ${problemType} predicts ${predicts(values)}.`,
  },
  {
    names: ['problemType', 'fold'],
    reason: (problemType, fold, values) =>
      `${fold} divides the reviews by class, but ${problemType} predicts ${predicts(values)}.`,
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
export function checkConflicts(settings: Values, nameOf: (name: Name) => string): void {
  const isSet = (name: Name) => (settings[name] ?? schema[name].default) !== schema[name].default;
  for (const { names, reason, when = () => names.every(isSet) } of conflicts)
    if (when(settings))
      throw new SettingsError(
        'SETTING_CONFLICT',
        `${reason(nameOf(names[0]), nameOf(names[1]), settings)} Remove one of them.`,
        {
          names,
        },
      );
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
