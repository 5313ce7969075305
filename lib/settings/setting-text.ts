/** How messages name settings: in the form in which the user sets them. */
import { describeSetting, type SettingName } from './settings.js';

/** Forms of a setting: `--label-column`, `TUNEBOOK_LABEL_COLUMN`, and `labelColumn` in code. */
export type SettingForm = 'flag' | 'variable' | 'code';

let form: SettingForm = 'code';

/** Sets the form for this process: a command uses flags, a notebook variables. */
export function useSettingForm(chosen: SettingForm): void {
  form = chosen;
}

/** The form in use. */
export const settingForm = (): SettingForm => form;

/** A name in lower case with dashes instead of capitals and underscores. */
export const dashed = (name: string): string => name.replace(/[A-Z]/g, '-$&').replace(/_/g, '-').toLowerCase();

/** The flag of a setting, such as `--learning-rate`. */
export const flagOf = (setting: SettingName): string => `--${dashed(setting)}`;

/**
 * A setting as the user writes it, for messages: `--rows 20000`, `TUNEBOOK_ROWS=20000`, or `rows: 20000` in code.
 * @param value as text; it is quoted if a shell would change it. @default none: the name only
 */
export function settingText(name: SettingName, value?: string): string {
  const spelled = { flag: flagOf(name), variable: describeSetting(name).variable, code: name }[form];
  if (value === undefined) return spelled;
  if (form === 'code')
    return `${name}: ${/^(-?\d+(\.\d+)?|true|false)$/.test(value) ? value : value.includes("'") ? JSON.stringify(value) : `'${value}'`}`;
  const quoted = /^[\w.,/@+-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
  return form === 'flag' ? `${spelled} ${quoted}` : `${spelled}=${quoted}`;
}
