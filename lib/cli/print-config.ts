/** The output of `--print-config`: the value and the origin of each setting. */
import { formatSetting, type ResolvedSettings, type SettingName } from '../settings/settings.js';

/**
 * Formats settings as a table of names, values and origins, or as JSON.
 * @param names the settings to include, in this order
 */
export function describeConfig(names: SettingName[], { settings, origins }: ResolvedSettings, json = false): string {
  const rows = names.map((setting) => ({ setting, value: settings[setting] ?? null, from: origins[setting] }));
  if (json) return JSON.stringify(Object.fromEntries(rows.map(({ setting, ...rest }) => [setting, rest])), null, 2);
  const cells = rows.map(({ setting, value, from }) => [setting, formatSetting(setting, value), from]);
  const widths = [0, 1].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells.map((row) => `${row[0]!.padEnd(widths[0]!)}  ${row[1]!.padEnd(widths[1]!)}  ${row[2]}`).join('\n');
}
