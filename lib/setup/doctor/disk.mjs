// Room on the checkout's disk: for what set-up still has to make, and for a run.
// @ts-check
import { freeMegabytes, root } from '../paths.mjs';
import { commonSteps, megabytesNeeded } from '../set-up.mjs';
import { addon, tensorflowRuntime } from '../tensorflow.mjs';
import { wantedBuild } from './build.mjs';
import { failed, ok } from './finding.mjs';

/** A run's checkpoints, model and report. */
const megabytesOfRun = 1000;

/** @param {number} megabytes */
export const gigabytes = (megabytes) => `${(megabytes / 1000).toFixed(1)} GB`;

/** @type {import('./finding.mjs').Check} */
export const disk = {
  name: 'disk',
  about: 'room for what set-up still needs and for a run',
  needs: ['node'],
  examine() {
    // A TUNEBOOK_TENSORFLOW that cannot be is the tensorflow check's to report; it leaves these two of no known size.
    const steps = wantedBuild().kind
      ? commonSteps
      : commonSteps.filter((step) => step !== tensorflowRuntime && step !== addon);
    const forSetUp = megabytesNeeded(steps);
    const needed = forSetUp + megabytesOfRun;
    const words =
      `${gigabytes(freeMegabytes())} free, ${gigabytes(needed)} needed` +
      (forSetUp > 0 ? `, of which set-up takes ${gigabytes(forSetUp)}` : ' for a run');
    return freeMegabytes() < needed ? failed(words, `Make room on the disk of ${root}: df -h, du -sh *`) : ok(words);
  },
};
