/** The settings as flags of a command, and the command line as a layer of settings. */
import { Option, type Command } from 'commander';
import {
  describeSetting,
  formatSetting,
  settingsList,
  type SettingName,
  type SettingsLayer,
} from '../settings/settings.js';

const dashed = (name: string) => name.replace(/[A-Z]/g, '-$&').replace(/_/g, '-').toLowerCase();

/** A setting's flag: `--learning-rate`. */
export const flagOf = (setting: SettingName): string => `--${dashed(setting)}`;

/** Flags by their other names: `--num-train-epochs` is `--epochs`. */
const aliases = new Map(
  settingsList.flatMap(({ name, aliases = [] }) => aliases.map((alias) => [`--${dashed(alias)}`, flagOf(name)])),
);

/** Replaces underscores in flags by dashes, and other names of a setting by its own: `--train_batch_size` is `--batch-size`. */
export const normalizeFlags = (argv: readonly string[]): string[] =>
  argv.map((word) =>
    word.replace(/^--[^=]+/, (flag) => {
      const spelled = flag.replaceAll('_', '-');
      return aliases.get(spelled) ?? spelled;
    }),
  );

/**
 * Adds a flag for each of some settings.
 * @param defaults shown in the help of a command that has other defaults
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
    const shown = defaults[name] ?? defaultText ?? formatSetting(name, setting.default);
    const also = aliases.length > 0 ? `; also ${aliases.map((alias) => `--${dashed(alias)}`).join(', ')}` : '';
    // The default is only shown: the environment or a file may set another value.
    const option = new Option(`${flagOf(name)} ${value}`, `${description} (default: ${shown}${also})`);
    command.addOption(option.helpGroup(`${group}:`));
  }
  return command;
}

/** A parsed command line as a layer of settings. */
export function flagsLayer(command: Command): SettingsLayer {
  const given = command.opts<Record<string, unknown>>();
  const names = settingsList.map(({ name }) => name).filter((name) => given[name] !== undefined);
  return {
    origin: 'command line',
    values: Object.fromEntries(names.map((name) => [name, given[name]])),
    nameOf: flagOf,
  };
}
