// TUNEBOOK_ environment variables. An unknown name or an invalid value is an error in every run.
// @ts-check
import { compiled } from './compiled.mjs';
import { failed, firstLineOf, ok } from './finding.mjs';

/** @type {import('./finding.mjs').Check} */
export const settings = {
  name: 'settings',
  about: 'TUNEBOOK_ environment variables: known names, valid values',
  needs: ['library'],
  async examine() {
    const { environmentLayer, resolveSettings } = await compiled('settings/settings.js');
    const { SettingsError } = await compiled('errors.js');
    const set = Object.keys(process.env).filter((name) => name.startsWith('TUNEBOOK_'));
    try {
      resolveSettings([environmentLayer()]);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      const message = firstLineOf(error);
      const [variable] = /TUNEBOOK_\w+/.exec(message) ?? [];
      // Without the instruction, which the remedy repeats.
      return failed(message.replace(/ Unset or rename it;.*$/, ''), `unset ${variable}, or correct it`);
    }
    return ok(set.length === 0 ? 'no TUNEBOOK_ variable is set' : set.sort().join(', '));
  },
};
