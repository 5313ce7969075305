/** Tunebook's version, as runs, exported models and responses of the server contain it, and those of optional packages. */
import fs from 'node:fs';

export const { version, peerDependencies } = JSON.parse(
  fs.readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as {
  version: string;
  peerDependencies: { tslab: string };
};
