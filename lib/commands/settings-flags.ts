/** The settings as flags of a command, in groups; and what a command line says, as a layer of them. */
import { Option, type Command } from 'commander';
import { describeSetting, settingsList, type SettingName, type SettingsLayer } from '../settings.js';

const dashed = (name: string) => name.replace(/[A-Z]/g, '-$&').replace(/_/g, '-').toLowerCase();

/** A setting's flag: `--learning-rate`. */
export const flagOf = (setting: SettingName): string => `--${dashed(setting)}`;

/** Underscores in the names of flags are dashes: the original's `--train_batch_size` is `--train-batch-size`. */
export const withDashes = (argv: readonly string[]): string[] =>
  argv.map((word) => word.replace(/^--[^=]+/, (name) => name.replaceAll('_', '-')));

/**
 * Gives a command a flag for each of some settings.
 * @param defaults as help shows them, where this command has others
 */
export function addSettings(
  command: Command,
  settings: SettingName[],
  defaults: Partial<Record<SettingName, string>> = {},
): Command {
  for (const setting of settings) {
    const { group, description, allowed, default: standard, otherwise, argument, alias } = describeSetting(setting);
    // What may be true may be given as a flag alone.
    const value = allowed.endsWith('true or false')
      ? `[${allowed.replace(/, | or /g, '|')}]`
      : `<${argument ?? (typeof standard === 'number' ? 'number' : 'value')}>`;
    const names = alias ? `--${dashed(alias)}, ${flagOf(setting)}` : flagOf(setting);
    const shown = defaults[setting] ?? otherwise ?? String(standard);
    // Shown, not set: the environment or a file may say otherwise.
    const option = new Option(`${names} ${value}`, `${description} (default: ${shown})`);
    command.addOption(option.helpGroup(`${group}:`));
  }
  return command;
}

/** What a parsed command line says of the settings. */
export function flagsLayer(command: Command): SettingsLayer {
  const given = command.opts<Record<string, unknown>>();
  const names = settingsList.map(({ setting }) => setting).filter((setting) => given[setting] !== undefined);
  return {
    origin: 'command line',
    values: Object.fromEntries(names.map((setting) => [setting, given[setting]])),
    nameOf: flagOf,
  };
}
