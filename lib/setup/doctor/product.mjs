// TensorFlow at work: it loads, it takes the device that it should, and a product of matrices is right.
// @ts-check
import path from 'node:path';
import { setupFolder, tensorflowFolder } from '../paths.mjs';
import { addonFile, addon as addonStep, tensorflowRuntime } from '../tensorflow.mjs';
import { ask, wordsOf } from './ask.mjs';
import { presentBuild } from './build.mjs';
import { failed, ok } from './finding.mjs';
import { makeAgain } from './remedies.mjs';
import { pinnedVersion } from './tensorflow.mjs';

const seconds = 60;

/**
 * @typedef {object} Measured by multiply.mjs
 * @property {string} [error]
 * @property {{ kind: 'CPU' | 'GPU', name: string, threads: number, tensorflow: string }} device
 * @property {{ precision: string, gigaflops: number, wrongBy: number, tolerance: number }[]} products
 * @property {string} [auto] the precision that the setting `auto` takes, if there is a choice
 */

/** @param {string} error of the dynamic loader, or of Node */
function loadFailure(error) {
  // Linux's loader and macOS's.
  const [, onLinux, onMacos] =
    /(\S+\.so[\d.]*): cannot open shared object|Library not loaded: (?:@rpath\/)?(\S+)/.exec(error) ?? [];
  const missing = onLinux ?? onMacos;
  const words = missing ? `it needs ${missing}, which is not found` : error.split('\n')[0];
  return failed(
    `TensorFlow's addon does not load: ${words}.`,
    missing?.startsWith('libtensorflow')
      ? makeAgain(tensorflowRuntime, tensorflowFolder)
      : makeAgain(addonStep, addonFile),
  );
}

/** @type {import('./finding.mjs').Check} */
export const product = {
  name: 'product',
  about: 'TensorFlow multiplies matrices: device, right result, rate',
  needs: ['library', 'addon'],
  async examine(outcome) {
    // A rate that is measured beside the kernel's start says nothing.
    await outcome('kernel');
    const answer = await ask(process.execPath, [path.join(setupFolder, 'doctor/multiply.mjs')], { seconds });
    const line = answer.stdout.trim().split('\n').pop() ?? '';
    if (answer.status !== 0 || !line.startsWith('{'))
      return failed(
        `TensorFlow's process ${wordsOf(answer)}.`,
        answer.timedOut ? 'Run it again when the machine is less busy.' : makeAgain(addonStep, addonFile),
      );
    /** @type {Measured} */
    const { error, device, products, auto } = JSON.parse(line);
    if (error) return loadFailure(error);
    const pinned = pinnedVersion(presentBuild() ?? 'cpu');
    if (device.tensorflow !== pinned)
      return failed(
        `TensorFlow is ${device.tensorflow}; data/sources.json pins ${pinned}.`,
        makeAgain(tensorflowRuntime, tensorflowFolder),
      );
    const wrong = products.find(({ wrongBy, tolerance }) => !(wrongBy <= tolerance));
    if (wrong)
      return failed(
        `A product in ${wrong.precision} on the ${device.kind} is wrong (by ${(100 * wrong.wrongBy).toFixed(1)} %).`,
        wrong.precision === 'float32'
          ? makeAgain(tensorflowRuntime, tensorflowFolder)
          : 'Train in float32: export TUNEBOOK_PRECISION=float32',
      );
    const rates = products.map(({ precision, gigaflops }) => `${Math.round(gigaflops)} GFLOP/s in ${precision}`);
    const choice = auto ? `; precision auto takes ${auto}` : '';
    const threads = device.kind === 'CPU' ? `, ${device.threads} threads` : '';
    return {
      ...ok(`right, ${rates.join(', ')}${choice} (TensorFlow ${device.tensorflow}, ${device.name}${threads})`),
      device: device.kind,
    };
  },
};
