/** Integers among the options of a command that are not settings. */
import { SettingsError } from '../errors.js';

/**
 * Reads an integer.
 * @param max default: no limit
 * @throws SettingsError with the valid values
 */
export function readInteger(flag: string, text: string, min: number, max = Infinity): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(number) || number < min || number > max)
    throw new SettingsError(
      'SETTING_INVALID',
      `${flag} is '${text}'; it must be an integer ${max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`}.`,
      { name: flag, value: text },
    );
  return number;
}
