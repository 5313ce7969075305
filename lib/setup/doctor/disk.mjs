// Free space on the disk of the checkout, for the remaining steps of set-up and for a run.
// @ts-check
import { freeMegabytes, root } from '../paths.mjs';
import { commonSteps, megabytesNeeded } from '../set-up.mjs';
import { addon, tensorflowRuntime } from '../tensorflow.mjs';
import { wantedBuild } from './build.mjs';
import { failed, ok } from './finding.mjs';

/** Size of the checkpoints, the model and the report of a run, in MB. */
const megabytesOfRun = 1000;

/** @param {number} megabytes */
export const gigabytes = (megabytes) => `${(megabytes / 1000).toFixed(1)} GB`;

/** @type {import('./finding.mjs').Check} */
export const disk = {
  name: 'disk',
  about: 'free disk space for set-up and for a run',
  needs: ['node'],
  examine() {
    // If TUNEBOOK_TENSORFLOW is invalid, which the check `tensorflow` reports, the sizes of these two steps are
    // unknown.
    const steps = wantedBuild().kind
      ? commonSteps
      : commonSteps.filter((step) => step !== tensorflowRuntime && step !== addon);
    const forSetUp = megabytesNeeded(steps);
    const needed = forSetUp + megabytesOfRun;
    const description =
      `${gigabytes(freeMegabytes())} free, ${gigabytes(needed)} needed` +
      (forSetUp > 0 ? `, of which ${gigabytes(forSetUp)} for set-up` : ' for a run');
    return freeMegabytes() < needed
      ? failed(description, `Free space on the disk of ${root}: df -h, du -sh *`)
      : ok(description);
  },
};
