// Checks the GPU, its driver, and whether TensorFlow uses it. If a CUDA library is missing, TensorFlow silently uses the
// CPU.
// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { runtimeFolder } from '../cache.mjs';
import { setupFolder } from '../paths.mjs';
import { tensorflowRuntime } from '../tensorflow.mjs';
import { failed, ok, repeatStep, setUp, shorten, warning } from './check.mjs';
import { presentBuild } from './installation.mjs';
import { runProgram } from './probe.mjs';

/** Minimum driver version for CUDA 12 (NVIDIA, "CUDA Compatibility"). */
const minDriver = '525.60.13';
/** Minimum compute capability (Pascal) of the kernels in TensorFlow's wheels since 2.18. */
const minCapability = 6;

/** First compute capability (Blackwell) for which TensorFlow's XLA cannot compile, see lib/tensorflow/xla.ts. */
const firstWithoutXla = 10;

/** Libraries that TensorFlow loads by name when it starts, without `lib`. */
const cudaLibraries =
  'cudart.so.12 cublas.so.12 cublasLt.so.12 cudnn.so.9 cufft.so.11 curand.so.10 cusolver.so.11 cusparse.so.12 ' +
  'nccl.so.2 nvrtc.so.12 cupti.so.12 nvJitLink.so.12';

/** Lists the CUDA libraries that are missing in the installed runtime. */
function missingLibraries() {
  const folder = path.join(runtimeFolder('gpu'), 'nvidia');
  const parts = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return cudaLibraries
    .split(' ')
    .map((name) => `lib${name}`)
    .filter((library) => !parts.some((part) => fs.existsSync(path.join(folder, part, 'lib', library))));
}

/** @param {string} version like 525.60.13 */
const isOlder = (version) => version.localeCompare(minDriver, 'en', { numeric: true }) < 0;

/** @param {string} field */
const query = (field) => runProgram('nvidia-smi', [`--query-gpu=${field}`, '--format=csv,noheader']);

/** @param {'CPU' | 'GPU' | undefined} device that TensorFlow uses */
function withoutGpu(device) {
  if (device === 'GPU') return ok('in use, although nvidia-smi does not list it');
  if (fs.existsSync('/dev/nvidia0'))
    return warning(
      '/dev/nvidia0 exists, but nvidia-smi, with which set-up detects GPUs, is missing.',
      "Install the driver's nvidia-smi; in a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    );
  return ok('none; the CPU is used');
}

/** @type {import('./check.mjs').Check} */
export const gpuCheck = {
  name: 'gpu',
  about: 'the GPU: driver, CUDA libraries, whether TensorFlow uses it',
  needs: ['tensorflow'],
  after: ['product'],
  async run(outcome) {
    // Queried separately, because old drivers reject a query that contains compute_cap.
    const [card, capabilities, product] = await Promise.all([
      query('name,driver_version'),
      query('compute_cap'),
      outcome('product'),
    ]);
    const firstLine = card.stdout.trim().split('\n')[0] ?? '';
    if (card.missing || /No devices were found/i.test(card.stdout)) return withoutGpu(product?.device);
    if (card.failure) {
      const required = presentBuild() === 'gpu' || process.env['TUNEBOOK_TENSORFLOW'] === 'gpu';
      return (required ? failed : warning)(
        // nvidia-smi prints its errors on standard output.
        `nvidia-smi: ${firstLine || card.failure}`,
        'Repair the NVIDIA driver so that nvidia-smi lists the GPU. Restart the machine after a driver update.',
      );
    }
    const [name = '', driver = ''] = firstLine.split(',').map((part) => part.trim());
    const capability = capabilities.failure ? undefined : Number.parseFloat(capabilities.stdout);
    const gpu =
      `${name}, driver ${driver}${capability ? `, compute capability ${capability.toFixed(1)}` : ''}` +
      (capability && capability >= firstWithoutXla ? ', which XLA (--jit-compile) does not support' : '');
    if (process.env['TUNEBOOK_TENSORFLOW'] === 'cpu') return ok(`${gpu}; not used, since TUNEBOOK_TENSORFLOW is cpu`);
    if (isOlder(driver))
      return failed(`${gpu}: CUDA 12 needs driver ${minDriver} or newer.`, 'Update the NVIDIA driver.');
    if (capability && capability < minCapability)
      return warning(
        `${gpu}: TensorFlow has kernels for ${minCapability}.0 and newer; the CPU is used.`,
        `export TUNEBOOK_TENSORFLOW=cpu && ${setUp}`,
      );
    const missing = missingLibraries();
    if (missing.length > 0)
      return failed(
        `${gpu}: not used, since ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing in ` +
          `${runtimeFolder('gpu')}/nvidia.`,
        repeatStep(tensorflowRuntime, runtimeFolder('gpu')),
      );
    if (product?.device !== 'CPU') return ok(product?.device ? `${gpu}, in use` : gpu);
    const visible = process.env['CUDA_VISIBLE_DEVICES'];
    if (visible !== undefined && !/^\s*\d|^GPU-|^MIG-/.test(visible))
      return failed(`${gpu}: not used, since CUDA_VISIBLE_DEVICES is '${visible}'.`, 'unset CUDA_VISIBLE_DEVICES');
    return failed(
      `${gpu}: TensorFlow uses the CPU instead.`,
      'Read why in the output of: TF_CPP_MIN_LOG_LEVEL=0 TF_CPP_MAX_VLOG_LEVEL=1 node ' +
        shorten(path.join(setupFolder, 'doctor/multiply.mjs')),
    );
  },
};
