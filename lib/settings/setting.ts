/**
 * One setting: what values it takes, and what `--help` says about it. Values arrive as text from the command line and the
 * environment, and as numbers or booleans from code and files; both are read alike. zod would read them too, but `--help` needs
 * the valid values as words, and zod's types would be loaded by the compiler of every notebook.
 */

/** Headings in `--help` and in the table of settings. */
export type SettingGroup =
  | 'Model and reviews'
  | 'Training'
  | 'Evaluation and checkpoints'
  | 'Masking'
  | 'Engine'
  | 'Distributed training'
  | 'Quick checks'
  | 'Run';

/** What a setting's declaration says about it. */
export interface SettingDescription {
  group: SettingGroup;
  /** A phrase, with the unit. */
  description: string;
  /** Other names, as Hugging Face's Trainer and scripts or the original project have them, in snake case. */
  aliases?: string[];
  /** One of the aliases, whose values are fractions: at least 1 is an error, although the setting takes such values. */
  fractionAlias?: string;
  /** The placeholder in `--help`. @default 'number' or 'value' */
  argument?: string;
  /** The default in words, for settings without a fixed one. */
  defaultText?: string;
  /** The only training command that has it; notebooks have all settings. @default both */
  only?: 'finetune' | 'adapt';
  /** Does not change the trained model: a run can resume with another value. @default false */
  neutral?: boolean;
  /** The scale on which a sweep samples a range of values. @default 'linear' */
  scale?: Scale;
}

/** Scales of a range of values. On a logarithmic one, 1e-5 to 1e-4 is as likely as 1e-4 to 1e-3. */
export type Scale = 'linear' | 'log';

/** The values that a setting takes. */
export interface Kind<Type> {
  /** As in "it must be …". */
  allowed: string;
  /**
   * Reads a value.
   * @returns undefined for an invalid one
   * @throws TunebookError for an invalid one, if there is more to say than what is allowed
   */
  read(value: unknown): Type | undefined;
  /** Writes a value as text. */
  format(value: Type): string;
  /** Splits text with several values, for a sweep. @default at commas */
  split?(text: string): string[];
  /** A flag without a value means true. @default false */
  isFlag?: boolean;
  /** The numbers among its values, of which a sweep can take a range. @default none */
  numbers?: 'all' | 'integers';
}

/** A declared setting. Its default is undefined if there is no fixed one. */
export type Setting<Type, Default = Type | undefined, Group = SettingGroup> = SettingDescription &
  Kind<Type> & { group: Group; default: Default };

/** Declares a setting. */
export const setting = <Type, Default extends Type | undefined, Group extends SettingGroup>(
  kind: Kind<Type>,
  description: SettingDescription & { group: Group; default: Default },
): Setting<Type, Default, Group> => ({ ...kind, ...description });

/** Limits of a number. */
export interface Range {
  min?: number;
  /** Like `min`, without the number itself. */
  above?: number;
  max?: number;
  /** Like `max`, without the number itself. */
  below?: number;
  /** -1 is valid too, and means no limit. */
  orMinusOne?: boolean;
}

/** Numbers may be written as text; empty text is not a number. */
const numberOf = (value: unknown): number =>
  typeof value === 'string' && value.trim() !== '' ? Number(value) : typeof value === 'number' ? value : NaN;

const isWithin = (value: number, { min = -Infinity, above = -Infinity, max = Infinity, below = Infinity }: Range) =>
  Number.isFinite(value) && value >= min && value > above && value <= max && value < below;

function describeRange(kind: string, { min, above, max, below, orMinusOne = false }: Range): string {
  const limits = [
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(min === undefined ? [] : [`of at least ${min}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
  ];
  return `${orMinusOne ? '-1 or ' : ''}${kind} ${limits.join(' and ')}`.trimEnd();
}

/** Numbers within a range. */
export const number = (range: Range): Kind<number> => ({
  allowed: describeRange('a number', range),
  read(value) {
    const found = numberOf(value);
    return isWithin(found, range) ? found : undefined;
  },
  format: String,
  numbers: 'all',
});

/** Integers within a range. */
export const integer = (range: Range = {}): Kind<number> => ({
  allowed: describeRange('an integer', range),
  read(value) {
    const found = numberOf(value);
    const isValid = (range.orMinusOne && found === -1) || (Number.isInteger(found) && isWithin(found, range));
    return isValid ? found : undefined;
  },
  format: String,
  numbers: 'integers',
});

const booleans = new Map<unknown, boolean>([
  ...([true, 'true', '1'] as const).map((value) => [value, true] as const),
  ...([false, 'false', '0'] as const).map((value) => [value, false] as const),
]);

/** True or false. */
export const boolean: Kind<boolean> = {
  allowed: 'true or false',
  read: (value) => booleans.get(value),
  format: String,
  isFlag: true,
};

/** One of some words. */
export const choice = <const Word extends string>(...words: Word[]): Kind<Word> => ({
  allowed: words.length === 1 ? words[0]! : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
  read: (value) => words.find((word) => word === value),
  format: String,
});

/** Values of one kind or another. */
export const either = <A, B>(first: Kind<A>, second: Kind<B>): Kind<A | B> => ({
  allowed: `${first.allowed.replace(/ or (?=\w+$)/, ', ')}, ${second.isFlag ? '' : 'or '}${second.allowed}`,
  read: (value) => first.read(value) ?? second.read(value),
  format: (value) => (first.read(value) === undefined ? second.format(value as B) : first.format(value as A)),
  isFlag: second.isFlag ?? false,
  ...(second.numbers && { numbers: second.numbers }),
});

/** Text that is not empty. */
export const text = (allowed: string): Kind<string> => ({
  allowed,
  read: (value) => (typeof value === 'string' && value !== '' ? value : undefined),
  format: String,
});

/** A list of names, separated by commas if written as text. */
export const names: Kind<string[]> = {
  allowed: 'names separated by commas',
  read(value) {
    const list: unknown = typeof value === 'string' ? value.split(',').map((name) => name.trim()) : value;
    const isList =
      Array.isArray(list) && list.length > 0 && list.every((name) => typeof name === 'string' && name !== '');
    return isList ? (list as string[]) : undefined;
  },
  format: (list) => list.join(','),
};
