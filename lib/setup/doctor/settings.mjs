// The TUNEBOOK_ variables of the environment: a name that is none, or a value that cannot be, stops every run.
// @ts-check
import { compiled } from './compiled.mjs';
import { failed, firstLineOf, ok } from './finding.mjs';

/** @type {import('./finding.mjs').Check} */
export const settings = {
  name: 'settings',
  about: 'TUNEBOOK_ variables of the environment: known ones, with values that may be',
  needs: ['library'],
  async examine() {
    const { environmentLayer, resolveSettings } = await compiled('settings/settings.js');
    const { SettingsError } = await compiled('errors.js');
    const set = Object.keys(process.env).filter((name) => name.startsWith('TUNEBOOK_'));
    try {
      resolveSettings([environmentLayer()]);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      const words = firstLineOf(error);
      const [variable] = /TUNEBOOK_\w+/.exec(words) ?? [];
      // What to do is the remedy's to say.
      return failed(words.replace(/ Unset or rename it;.*$/, ''), `unset ${variable}, or correct it`);
    }
    return ok(set.length === 0 ? 'no TUNEBOOK_ variable is set' : set.sort().join(', '));
  },
};
