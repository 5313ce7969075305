// Whether a set-up is running. If so, missing files are not a problem, and no remedy may delete files.
// @ts-check
import { runningSetUp } from '../set-up.mjs';
import { ok, warning } from './finding.mjs';

/** @type {import('./finding.mjs').Check} */
export const underWay = {
  name: 'set-up',
  about: 'whether a set-up is running in this checkout',
  examine() {
    const other = runningSetUp();
    if (!other) return ok('not running');
    return { ...warning(`running (process ${other})`, 'Wait until it has finished.'), blocks: true };
  },
};
