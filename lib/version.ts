/** Tunebook's version, said in one place: runs, exported models and the server's answers name it. */
import fs from 'node:fs';

export const { version } = JSON.parse(fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
