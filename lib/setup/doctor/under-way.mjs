// A set-up that is under way: what it has not made yet is no fault, and its files are not to be deleted under it.
// @ts-check
import { setUpUnderWay } from '../set-up.mjs';
import { ok, warning } from './finding.mjs';

/** @type {import('./finding.mjs').Check} */
export const underWay = {
  name: 'set-up',
  about: 'whether a set-up is running in this checkout',
  examine() {
    const other = setUpUnderWay();
    if (!other) return ok('none is under way');
    return { ...warning(`one is under way (process ${other})`, 'Wait until it has ended.'), blocks: true };
  },
};
