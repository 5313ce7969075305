// Whether TensorFlow loads, has the pinned version and computes a correct matrix product, and on which device.
// @ts-check
import path from 'node:path';
import { setupFolder, tensorflowFolder } from '../paths.mjs';
import { addonFile, addon as addonStep, tensorflowRuntime } from '../tensorflow.mjs';
import { describeFailure, runProgram } from './ask.mjs';
import { presentBuild } from './build.mjs';
import { failed, ok } from './finding.mjs';
import { repeatStep } from './remedies.mjs';
import { pinnedVersion } from './tensorflow.mjs';

const seconds = 60;

/**
 * @typedef {object} Measurement output of multiply.mjs
 * @property {string} [error]
 * @property {{ kind: 'CPU' | 'GPU', name: string, threads: number, tensorflow: string }} device
 * @property {{ precision: string, gigaflops: number, wrongBy: number, tolerance: number }[]} products
 * @property {string} [auto] the precision that the setting `auto` selects, if there are several
 */

/** @param {string} error message of the dynamic loader or of Node */
function loadFailure(error) {
  // Messages of the loaders of Linux and macOS.
  const [, onLinux, onMacos] =
    /(\S+\.so[\d.]*): cannot open shared object|Library not loaded: (?:@rpath\/)?(\S+)/.exec(error) ?? [];
  const missing = onLinux ?? onMacos;
  const reason = missing ? `it needs ${missing}, which is not found` : error.split('\n')[0];
  return failed(
    `TensorFlow's addon does not load: ${reason}.`,
    missing?.startsWith('libtensorflow')
      ? repeatStep(tensorflowRuntime, tensorflowFolder)
      : repeatStep(addonStep, addonFile),
  );
}

/** @type {import('./finding.mjs').Check} */
export const product = {
  name: 'product',
  about: 'TensorFlow multiplies matrices: device, correctness, rate',
  needs: ['library', 'addon'],
  async examine(outcome) {
    // A rate that is measured while the kernel starts would be too low.
    await outcome('kernel');
    const result = await runProgram(process.execPath, [path.join(setupFolder, 'doctor/multiply.mjs')], { seconds });
    const line = result.stdout.trim().split('\n').pop() ?? '';
    if (result.status !== 0 || !line.startsWith('{'))
      return failed(
        `TensorFlow's process ${describeFailure(result)}.`,
        result.timedOut ? 'Run it again when the machine is less busy.' : repeatStep(addonStep, addonFile),
      );
    /** @type {Measurement} */
    const { error, device, products, auto } = JSON.parse(line);
    if (error) return loadFailure(error);
    const pinned = pinnedVersion(presentBuild() ?? 'cpu');
    if (device.tensorflow !== pinned)
      return failed(
        `TensorFlow is ${device.tensorflow}; data/sources.json pins ${pinned}.`,
        repeatStep(tensorflowRuntime, tensorflowFolder),
      );
    const wrong = products.find(({ wrongBy, tolerance }) => !(wrongBy <= tolerance));
    if (wrong)
      return failed(
        `A product in ${wrong.precision} on the ${device.kind} is wrong by ${(100 * wrong.wrongBy).toFixed(1)} %.`,
        wrong.precision === 'float32'
          ? repeatStep(tensorflowRuntime, tensorflowFolder)
          : 'Train in float32: export TUNEBOOK_PRECISION=float32',
      );
    const rates = products.map(({ precision, gigaflops }) => `${Math.round(gigaflops)} GFLOP/s in ${precision}`);
    const choice = auto ? `; precision auto selects ${auto}` : '';
    const threads = device.kind === 'CPU' ? `, ${device.threads} threads` : '';
    return {
      ...ok(`correct, ${rates.join(', ')}${choice} (TensorFlow ${device.tensorflow}, ${device.name}${threads})`),
      device: device.kind,
    };
  },
};
