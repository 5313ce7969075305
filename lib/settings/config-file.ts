/** Settings from a JSON or YAML file. Names in any spelling: learningRate, learning_rate, learning-rate, or an alias such as lr. */
import fs from 'node:fs';
import { parse } from 'yaml';
import { SettingsError } from '../errors.js';
import { plainName } from './did-you-mean.js';
import { checkSpelling, spellings, type SettingName, type SettingsLayer } from './settings.js';
import { insteadOf } from './unknown-setting.js';

const settingOf = new Map<string, SettingName>(spellings.map(({ spelling, name }) => [plainName(spelling), name]));

/**
 * Reads a settings file.
 * @throws SettingsError if it cannot be read, is not a map, or contains an unknown setting or one setting twice
 */
export function configLayer(file: string): SettingsLayer {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingsError(
      'CONFIG_FILE_UNREADABLE',
      `Cannot read the settings file ${file} (${code}). Correct the path after --config.`,
      { file },
    );
  }
  let content: unknown;
  try {
    // JSON is YAML too.
    content = parse(text, { prettyErrors: true });
  } catch (error) {
    throw new SettingsError(
      'CONFIG_FILE_INVALID',
      `${file} is neither JSON nor YAML: ${(error as Error).message.trim()}`,
      { file },
    );
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new SettingsError(
      'CONFIG_FILE_INVALID',
      `${file} must contain a map of settings, such as { "epochs": 3 } or a line 'epochs: 3'.`,
      { file },
    );
  const values: SettingsLayer['values'] = {};
  const written: Partial<Record<SettingName, string>> = {};
  for (const [spelling, value] of Object.entries(content)) {
    const name = settingOf.get(plainName(spelling));
    if (!name) {
      const instead = insteadOf(
        spelling,
        new Map(spellings.map((each) => [each.spelling, each.spelling])),
        (known, value) => (value === undefined ? known : `${known}: ${value}`),
      );
      throw new SettingsError(
        'SETTING_UNKNOWN',
        `${file} contains the unknown setting '${spelling}'.${instead} 'npx tunebook help finetune' lists all settings.`,
        { name: spelling, file },
      );
    }
    if (written[name])
      throw new SettingsError(
        'SETTING_REPEATED',
        `${file} contains '${written[name]}' and '${spelling}', which are the same setting. Remove one.`,
        { names: [written[name], spelling], file },
      );
    checkSpelling(name, spelling, value, `${spelling} in ${file}`, name);
    written[name] = spelling;
    values[name] = value as unknown;
  }
  return { origin: file, values, nameOf: (name) => `${written[name] ?? name} in ${file}` };
}
