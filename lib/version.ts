/** Tunebook's version, as runs, exported models and responses of the server contain it. */
import fs from 'node:fs';

export const { version } = JSON.parse(fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
