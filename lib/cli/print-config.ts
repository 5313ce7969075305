/** `--print-config`: settings as they would be used, and where each came from, in place of any work. */
import { formatSetting, type ResolvedSettings, type SettingName } from '../settings/settings.js';

/**
 * Settings as a table of value and place, or as JSON.
 * @param shown those to show, in their order
 */
export function describeConfig(shown: SettingName[], { settings, origins }: ResolvedSettings, json = false): string {
  const rows = shown.map((setting) => ({ setting, value: settings[setting] ?? null, from: origins[setting] }));
  if (json) return JSON.stringify(Object.fromEntries(rows.map(({ setting, ...rest }) => [setting, rest])), null, 2);
  const cells = rows.map(({ setting, value, from }) => [setting, formatSetting(setting, value), from]);
  const widths = [0, 1].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells.map((row) => `${row[0]!.padEnd(widths[0]!)}  ${row[1]!.padEnd(widths[1]!)}  ${row[2]}`).join('\n');
}
