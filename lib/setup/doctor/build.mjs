// Which build of TensorFlow this machine is to have, and which one was set up.
// @ts-check
import { SetupError } from '../run.mjs';
import { madeFrom } from '../steps.mjs';
import { runtimeFingerprint, tensorflowKind, tensorflowRuntime } from '../tensorflow.mjs';

/** @typedef {import('../tensorflow.mjs').Kind} Kind */

/** @type {Record<Kind, string>} */
export const buildNames = { cpu: 'the build for the processor', gpu: 'the build for the GPU' };

/** What set-up would take now, or why it would refuse. @returns {{ kind: Kind, refusal?: undefined } | { kind?: undefined, refusal: string }} */
export function wantedBuild() {
  try {
    return { kind: tensorflowKind() };
  } catch (error) {
    if (error instanceof SetupError) return { refusal: error.message };
    throw error;
  }
}

/** The build that set-up has put in place at the pinned version; nothing where there is none. @returns {Kind | undefined} */
export function presentBuild() {
  const stamp = madeFrom(tensorflowRuntime);
  return /** @type {Kind[]} */ (['cpu', 'gpu']).find((kind) => runtimeFingerprint(kind) === stamp);
}
