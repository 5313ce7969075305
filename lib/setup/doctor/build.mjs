// The TensorFlow build that this machine needs, and the one that is installed.
// @ts-check
import { SetupError } from '../run.mjs';
import { storedFingerprint } from '../steps.mjs';
import { runtimeFingerprint, tensorflowKind, tensorflowRuntime } from '../tensorflow.mjs';

/** @typedef {import('../tensorflow.mjs').Kind} Kind */

/** @type {Record<Kind, string>} */
export const buildNames = { cpu: 'the CPU build', gpu: 'the GPU build' };

/**
 * Returns the build that set-up would install, or its error message.
 * @returns {{ kind: Kind, error?: undefined } | { kind?: undefined, error: string }}
 */
export function wantedBuild() {
  try {
    return { kind: tensorflowKind() };
  } catch (error) {
    if (error instanceof SetupError) return { error: error.message };
    throw error;
  }
}

/** Returns the installed build if it has the pinned version; otherwise undefined. @returns {Kind | undefined} */
export function presentBuild() {
  const stamp = storedFingerprint(tensorflowRuntime);
  return /** @type {Kind[]} */ (['cpu', 'gpu']).find((kind) => runtimeFingerprint(kind) === stamp);
}
