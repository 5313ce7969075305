// The GPU, its driver, and whether TensorFlow uses it. If a CUDA library is missing, TensorFlow silently uses the CPU.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { root, tensorflowFolder } from '../paths.mjs';
import { tensorflowRuntime } from '../tensorflow.mjs';
import { describeFailure, runProgram } from './ask.mjs';
import { buildNames, presentBuild } from './build.mjs';
import { failed, ok, warning } from './finding.mjs';
import { repeatStep, setUp } from './remedies.mjs';

/** @typedef {import('./finding.mjs').Finding} Finding */
/** @typedef {{ name: string, driver: string, capability: number | undefined }} Card */

/** Minimum driver version for CUDA 12 (NVIDIA, "CUDA Compatibility"). */
const minDriver = '525.60.13';
/** Minimum compute capability (Pascal) of the kernels in TensorFlow's wheels since 2.18. */
const minCapability = 6;

/** Libraries that TensorFlow loads by name when it starts. */
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

/** @param {string} version @param {string} min */
function isOlder(version, min) {
  const [own, other] = [version, min].map((each) => each.split('.').map(Number));
  const index = other?.findIndex((part, i) => (own?.[i] ?? 0) !== part) ?? -1;
  return index >= 0 && (own?.[index] ?? 0) < (other?.[index] ?? 0);
}

/** @param {string} field */
const query = (field) => runProgram('nvidia-smi', [`--query-gpu=${field}`, '--format=csv,noheader']);

/**
 * Queries the driver for the first GPU.
 * @returns {Promise<Card | { fault: string } | undefined>} undefined if there is none
 */
async function queryCard() {
  // Queried separately, because old drivers reject a query that contains compute_cap.
  const [card, capability] = await Promise.all([query('name,driver_version'), query('compute_cap')]);
  if (card.missing === 'ENOENT' || /No devices were found/i.test(card.stdout)) return undefined;
  const [name = '', driver = ''] = (card.stdout.split('\n')[0] ?? '').split(',').map((part) => part.trim());
  // nvidia-smi prints its errors on standard output.
  if (card.status !== 0) return { fault: card.stdout.trim().split('\n')[0] || describeFailure(card) };
  return { name, driver, capability: capability.status === 0 ? Number(capability.stdout.split('\n')[0]) : undefined };
}

/** Lists the CUDA libraries that are missing in the installed runtime. */
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
function findingWithoutCard(device) {
  if (device === 'GPU') return ok('in use, although nvidia-smi does not list it');
  if (presentBuild() === 'gpu')
    return warning(
      `nvidia-smi lists no GPU, but ${buildNames.gpu} is installed; the CPU is used.`,
      process.env['TUNEBOOK_TENSORFLOW'] ? `unset TUNEBOOK_TENSORFLOW && ${setUp}` : setUp,
    );
  if (fs.existsSync('/dev/nvidia0'))
    return warning(
      '/dev/nvidia0 exists, but nvidia-smi, with which set-up detects GPUs, is missing.',
      "Install the driver's nvidia-smi; in a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    );
  return ok('none; the CPU is used');
}

/** @param {string} fault @returns {Finding} */
function findingOfDriverError(fault) {
  const required = presentBuild() === 'gpu' || process.env['TUNEBOOK_TENSORFLOW'] === 'gpu';
  return (required ? failed : warning)(
    `nvidia-smi: ${fault}`,
    'Repair the NVIDIA driver so that nvidia-smi lists the GPU. Restart the machine after a driver update.',
  );
}

/** @param {Card} card @param {'CPU' | 'GPU' | undefined} device that TensorFlow uses, if known @returns {Finding} */
function findingWithCard({ name, driver, capability }, device) {
  const description = `${name}, driver ${driver}${capability ? `, compute capability ${capability.toFixed(1)}` : ''}`;
  if (process.env['TUNEBOOK_TENSORFLOW'] === 'cpu')
    return ok(`${description}; not used, since TUNEBOOK_TENSORFLOW is cpu`);
  if (isOlder(driver, minDriver))
    return failed(`${description}: CUDA 12 needs driver ${minDriver} or newer.`, 'Update the NVIDIA driver.');
  if (capability && capability < minCapability)
    return warning(
      `${description}: TensorFlow has kernels for ${minCapability}.0 and newer; the CPU is used.`,
      `export TUNEBOOK_TENSORFLOW=cpu && ${setUp}`,
    );
  if (presentBuild() === 'cpu') return failed(`${description}: not used, since ${buildNames.cpu} is installed.`, setUp);
  const missing = missingLibraries();
  if (missing.length > 0)
    return failed(
      `${description}: not used, since ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing in ` +
        `${path.relative(root, tensorflowFolder)}/gpu/nvidia.`,
      repeatStep(tensorflowRuntime, tensorflowFolder),
    );
  if (device !== 'CPU') return ok(device ? `${description}, in use` : description);
  const visible = process.env['CUDA_VISIBLE_DEVICES'];
  if (visible !== undefined && !/^\s*\d|^GPU-|^MIG-/.test(visible))
    return failed(
      `${description}: not used, since CUDA_VISIBLE_DEVICES is '${visible}'.`,
      'unset CUDA_VISIBLE_DEVICES',
    );
  return failed(
    `${description}: TensorFlow uses the CPU instead.`,
    'Read why in the output of: TF_CPP_MIN_LOG_LEVEL=0 TF_CPP_MAX_VLOG_LEVEL=1 node lib/setup/doctor/multiply.mjs',
  );
}

/** @type {import('./finding.mjs').Check} */
export const gpu = {
  name: 'gpu',
  about: 'the GPU: driver, CUDA libraries, whether TensorFlow uses it',
  needs: ['tensorflow'],
  after: ['product'],
  async examine(outcome) {
    const [card, product] = await Promise.all([queryCard(), outcome('product')]);
    const device = product?.device;
    if (!card) return findingWithoutCard(device);
    return 'fault' in card ? findingOfDriverError(card.fault) : findingWithCard(card, device);
  },
};
