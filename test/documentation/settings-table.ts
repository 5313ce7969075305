// Generates the table of settings in lib/settings/README.md from their declarations.
import path from 'node:path';
import { flagOf } from '#lib/settings/setting-text.js';
import { formatSetting, settingsList } from '#lib/settings/settings.js';
import { root } from '../checkout.js';

export const settingsPage = path.join(root, 'lib/settings/README.md');

const code = (text: string) => `\`${text}\``;

/** Returns the table in Markdown. */
export function settingsTable(): string {
  const rows = settingsList.map(
    ({ name, variable, aliases = [], description, allowed, defaultText, only, ...setting }) => [
      [flagOf(name), ...aliases.map((alias) => `--${alias.replaceAll('_', '-')}`)].map(code).join(' '),
      code(variable),
      defaultText ?? code(formatSetting(name, setting.default)),
      allowed,
      `${description}${only ? ` (only ${only})` : ''}`,
    ],
  );
  const header = ['flag and aliases', 'variable', 'default', 'value', 'description'];
  return [header, header.map(() => '-'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

const fence = /(<!-- prettier-ignore-start -->\n)[^]*?(<!-- prettier-ignore-end -->)/;

/** Replaces the table of the page with the current one. */
export const withSettingsTable = (page: string): string => page.replace(fence, `$1\n${settingsTable()}\n\n$2`);
