/** Settings as flags of a command, and a parsed command line as a settings layer. */
import { Option, type Command } from 'commander';
import {
  describeSetting,
  formatSetting,
  checkSpelling,
  settingsList,
  spellings,
  type SettingName,
  type SettingsLayer,
} from '../settings/settings.js';
import { dashed, flagOf } from '../settings/setting-text.js';
import { isFlagLike } from './text-arguments.js';

/** Settings of a file that is read, but not trained on. */
export const fileSettings = [
  ...(['textColumns', 'textPairColumn', 'encoding', 'delimiter', 'header', 'columns', 'skipBadRows'] as const),
] as const;

/** Names and aliases of settings by flag: `--num-train-epochs`. */
const byFlag = new Map(spellings.map((each) => [`--${dashed(each.spelling)}`, each]));

/** Flags that turn a setting off: `--no-header` is `--header=false`. */
const negations = new Map(
  settingsList.filter(({ isFlag }) => isFlag).map(({ name }) => [`--no-${dashed(name)}`, `${flagOf(name)}=false`]),
);

/**
 * Replaces underscores in flags with dashes, and aliases with flags: `--train_batch_size` becomes `--batch-size`. Texts
 * that begin with dashes, and everything after `--`, stay as they are.
 * @throws SettingsError for a value that an alias does not take
 */
export function normalizeFlags(argv: readonly string[]): string[] {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  return argv.map((arg, i) => {
    const [, flag, value] = /^(--[^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (flag === undefined || i >= end || !isFlagLike(arg)) return arg;
    const dashedFlag = flag.replaceAll('_', '-');
    const found = byFlag.get(dashedFlag);
    if (found) checkSpelling(found.name, found.spelling, value ?? argv[i + 1], flag, flagOf(found.name));
    return arg.replace(flag, found ? flagOf(found.name) : (negations.get(dashedFlag) ?? dashedFlag));
  });
}

/**
 * Adds a flag for each setting.
 * @param settings names of the settings
 * @param defaults defaults of the command that differ from those of the settings, for the help text
 */
export function addSettings(
  command: Command,
  settings: SettingName[],
  defaults: Partial<Record<SettingName, string>> = {},
): Command {
  for (const name of settings) {
    const {
      group,
      description,
      allowed,
      isFlag,
      defaultText,
      argument,
      aliases = [],
      ...setting
    } = describeSetting(name);
    const value = isFlag
      ? `[${allowed.replace(/, | or /g, '|')}]`
      : `<${argument ?? (typeof setting.default === 'number' ? 'number' : 'value')}>`;
    const shownDefault = defaults[name] ?? defaultText ?? formatSetting(name, setting.default);
    const also = aliases.length > 0 ? `; also ${aliases.map((alias) => `--${dashed(alias)}`).join(', ')}` : '';
    // The default is part of the description only: the environment or a settings file may set another value.
    const option = new Option(`${flagOf(name)} ${value}`, `${description} (default: ${shownDefault}${also})`);
    command.addOption(option.helpGroup(`${group}:`));
  }
  return command;
}

/**
 * The settings layer of a parsed command line.
 * @param settings names of the settings that the command has; other flags may have the same names. @default all
 */
export function flagsLayer(
  command: Command,
  settings: readonly SettingName[] = settingsList.map(({ name }) => name),
): SettingsLayer {
  const options = command.opts<Record<string, unknown>>();
  const names = settings.filter((name) => options[name] !== undefined);
  return {
    origin: 'command line',
    values: Object.fromEntries(names.map((name) => [name, options[name]])),
    nameOf: flagOf,
  };
}
