// The GPU, its driver, and whether TensorFlow uses it: without one of its CUDA libraries it says nothing and takes the
// processor.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { root, tensorflowFolder } from '../paths.mjs';
import { tensorflowRuntime } from '../tensorflow.mjs';
import { ask, wordsOf } from './ask.mjs';
import { buildNames, presentBuild } from './build.mjs';
import { failed, ok, warning } from './finding.mjs';
import { makeAgain, setUp } from './remedies.mjs';

/** @typedef {import('./finding.mjs').Finding} Finding */
/** @typedef {{ name: string, driver: string, capability: number | undefined }} Card */

/** What CUDA 12 runs on at least (NVIDIA, "CUDA Compatibility"). */
const leastDriver = '525.60.13';
/** The oldest generation, Pascal, that TensorFlow's wheels hold kernels for, since 2.18. */
const leastCapability = 6;

/** What TensorFlow opens by name when it starts. */
const cudaLibraries = [
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libcudnn.so.9',
  'libcufft.so.11',
  'libcurand.so.10',
  'libcusolver.so.11',
  'libcusparse.so.12',
  'libnccl.so.2',
  'libnvrtc.so.12',
  'libcupti.so.12',
  'libnvJitLink.so.12',
];

/** @param {string} version @param {string} least */
function isOlder(version, least) {
  const [own, other] = [version, least].map((each) => each.split('.').map(Number));
  const at = other?.findIndex((part, i) => (own?.[i] ?? 0) !== part) ?? -1;
  return at >= 0 && (own?.[at] ?? 0) < (other?.[at] ?? 0);
}

/** @param {string} field */
const query = (field) => ask('nvidia-smi', [`--query-gpu=${field}`, '--format=csv,noheader']);

/** The first GPU as the driver tells of it. @returns {Promise<Card | { fault: string } | undefined>} nothing where there is none */
async function seenCard() {
  // Drivers that are too old know no compute_cap, and refuse a query that has it.
  const [card, capability] = await Promise.all([query('name,driver_version'), query('compute_cap')]);
  if (card.missing === 'ENOENT' || /No devices were found/i.test(card.stdout)) return undefined;
  const [name = '', driver = ''] = (card.stdout.split('\n')[0] ?? '').split(',').map((part) => part.trim());
  // What goes wrong nvidia-smi says on standard output.
  if (card.status !== 0) return { fault: card.stdout.trim().split('\n')[0] || wordsOf(card) };
  return { name, driver, capability: capability.status === 0 ? Number(capability.stdout.split('\n')[0]) : undefined };
}

/** The CUDA libraries that set-up's folder lacks. */
function missingLibraries() {
  const folder = path.join(tensorflowFolder, 'gpu/nvidia');
  const present = new Set(
    (fs.existsSync(folder) ? fs.readdirSync(folder) : [])
      .map((part) => path.join(folder, part, 'lib'))
      .flatMap((libraries) => (fs.existsSync(libraries) ? fs.readdirSync(libraries) : [])),
  );
  return cudaLibraries.filter((library) => !present.has(library));
}

/** @param {'CPU' | 'GPU' | undefined} device that TensorFlow uses @returns {Finding} */
function withoutCard(device) {
  if (device === 'GPU') return ok('in use; nvidia-smi does not tell of it');
  if (presentBuild() === 'gpu')
    return warning(
      `nvidia-smi tells of no GPU, and ${buildNames.gpu} is set up; the processor is used.`,
      process.env['TUNEBOOK_TENSORFLOW'] ? `unset TUNEBOOK_TENSORFLOW && ${setUp}` : setUp,
    );
  if (fs.existsSync('/dev/nvidia0'))
    return warning(
      'a GPU is there (/dev/nvidia0), and nvidia-smi, by which set-up knows of it, is not.',
      "Install the driver's nvidia-smi; start a container with NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    );
  return ok('none; the processor is used');
}

/** @param {string} fault @returns {Finding} */
function withoutAnswer(fault) {
  const wanted = presentBuild() === 'gpu' || process.env['TUNEBOOK_TENSORFLOW'] === 'gpu';
  return (wanted ? failed : warning)(
    `nvidia-smi: ${fault}`,
    'Mend the NVIDIA driver until nvidia-smi lists the GPU; after an update of it, restart the machine.',
  );
}

/** @param {Card} card @param {'CPU' | 'GPU' | undefined} device that TensorFlow uses, where that is known @returns {Finding} */
function withCard({ name, driver, capability }, device) {
  const words = `${name}, driver ${driver}${capability ? `, compute capability ${capability.toFixed(1)}` : ''}`;
  if (process.env['TUNEBOOK_TENSORFLOW'] === 'cpu') return ok(`${words}; not used, since TUNEBOOK_TENSORFLOW is cpu`);
  if (isOlder(driver, leastDriver))
    return failed(`${words}: CUDA 12 needs driver ${leastDriver} or newer.`, 'Update the NVIDIA driver.');
  if (capability && capability < leastCapability)
    return warning(
      `${words}: TensorFlow has kernels for ${leastCapability}.0 and newer; the processor is used.`,
      `export TUNEBOOK_TENSORFLOW=cpu && ${setUp}`,
    );
  if (presentBuild() === 'cpu') return failed(`${words}: ${buildNames.cpu} is set up, so it is not used.`, setUp);
  const missing = missingLibraries();
  if (missing.length > 0)
    return failed(
      `${words}: not used, since ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing in ` +
        `${path.relative(root, tensorflowFolder)}/gpu/nvidia.`,
      makeAgain(tensorflowRuntime, tensorflowFolder),
    );
  if (device !== 'CPU') return ok(device ? `${words}, in use` : words);
  const hidden = process.env['CUDA_VISIBLE_DEVICES'];
  if (hidden !== undefined && !/^\s*\d|^GPU-|^MIG-/.test(hidden))
    return failed(`${words}: not used, since CUDA_VISIBLE_DEVICES is '${hidden}'.`, 'unset CUDA_VISIBLE_DEVICES');
  return failed(
    `${words}: TensorFlow uses the processor all the same.`,
    'TF_CPP_MIN_LOG_LEVEL=0 TF_CPP_MAX_VLOG_LEVEL=1 node lib/setup/doctor/multiply.mjs, in which TensorFlow says why',
  );
}

/** @type {import('./finding.mjs').Check} */
export const gpu = {
  name: 'gpu',
  about: 'the GPU: driver, CUDA libraries, whether TensorFlow uses it',
  needs: ['tensorflow'],
  after: ['product'],
  async examine(outcome) {
    const [card, computed] = await Promise.all([seenCard(), outcome('product')]);
    const device = computed?.device;
    if (!card) return withoutCard(device);
    return 'fault' in card ? withoutAnswer(card.fault) : withCard(card, device);
  },
};
