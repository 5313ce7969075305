/** Settings from a JSON or YAML file. Names in any spelling: learningRate, learning_rate, learning-rate, or the original's lr. */
import fs from 'node:fs';
import { parse } from 'yaml';
import { SettingsError } from '../errors.js';
import { didYouMean, settingsList, type SettingName, type SettingsLayer } from '../settings.js';

const plain = (name: string) => name.replace(/[-_ ]/g, '').toLowerCase();

const names = settingsList.flatMap(({ setting, alias }) => [setting, ...(alias ? [alias] : [])]);

const settingOf = new Map<string, SettingName>(
  settingsList.flatMap(({ setting, alias }) =>
    [setting, ...(alias ? [alias] : [])].map((name) => [plain(name), setting] as const),
  ),
);

/**
 * @param file JSON or YAML, an object of settings
 * @throws SettingsError when it cannot be read, is no object, or names what is no setting, or one twice
 */
export function configLayer(file: string): SettingsLayer {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingsError(
      'CONFIG_FILE_UNREADABLE',
      `The settings file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}). Mend the path after --config.`,
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
      `${file} must hold an object of settings, such as { "epochs": 3 } or a line 'epochs: 3'.`,
      { file },
    );
  const values: SettingsLayer['values'] = {};
  const written: Partial<Record<SettingName, string>> = {};
  for (const [name, value] of Object.entries(content)) {
    const setting = settingOf.get(plain(name));
    if (!setting)
      throw new SettingsError(
        'SETTING_UNKNOWN',
        `${file} has '${name}', which is no setting.${didYouMean(name, names)} --help lists them all.`,
        { name, file },
      );
    if (written[setting])
      throw new SettingsError(
        'SETTING_REPEATED',
        `${file} has '${written[setting]}' and '${name}', which are the same. Leave one.`,
        { names: [written[setting], name], file },
      );
    written[setting] = name;
    values[setting] = value as unknown;
  }
  return { origin: file, values, nameOf: (setting) => `${written[setting] ?? setting} in ${file}` };
}
