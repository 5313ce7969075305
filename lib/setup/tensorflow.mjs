// TensorFlow's shared libraries and headers from the pinned wheel, a current TensorFlow. The one that tfjs-node-gpu would
// download is from 2022 and supports no GPU newer than Ampere.
// @ts-check
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { headersFolder, runtimeFolder } from './cache.mjs';
import { download, unzip } from './downloads.mjs';
import { linking, platform, platforms } from './platform.mjs';
import { SetupError } from './run.mjs';
import { sourcesOf } from './sources.mjs';

/** @typedef {import('./cache.mjs').Kind} Kind */

/** @type {boolean | undefined} cached, because nvidia-smi can take seconds */
let gpuListed;

function listsGpu() {
  if (gpuListed === undefined) {
    const result = spawnSync('nvidia-smi', ['--list-gpus'], { encoding: 'utf8', timeout: 30_000 });
    gpuListed = result.status === 0 && /^GPU 0/m.test(result.stdout);
  }
  return gpuListed;
}

/**
 * Returns the build for this machine: TUNEBOOK_TENSORFLOW if set, else gpu if the platform has a GPU build and
 * nvidia-smi lists a GPU.
 * @returns {Kind}
 * @throws {SetupError} if TUNEBOOK_TENSORFLOW is neither cpu nor gpu, or is gpu and the platform has no GPU build
 */
export function tensorflowKind() {
  const requested = process.env['TUNEBOOK_TENSORFLOW'];
  const hasGpuBuild = sourcesOf('tensorflow-gpu').length > 0;
  if (requested === 'gpu' && !hasGpuBuild)
    throw new SetupError(
      `TUNEBOOK_TENSORFLOW is 'gpu', but TensorFlow has no GPU build for ${platforms[/** @type {keyof typeof platforms} */ (platform)]}.`,
      'Set it to cpu, or run: unset TUNEBOOK_TENSORFLOW',
    );
  if (requested === 'cpu' || requested === 'gpu') return requested;
  if (requested)
    throw new SetupError(
      `TUNEBOOK_TENSORFLOW is '${requested}'; it must be cpu or gpu.`,
      'Correct it, or run: unset TUNEBOOK_TENSORFLOW',
    );
  return hasGpuBuild && listsGpu() ? 'gpu' : 'cpu';
}

/** Libraries of the wheels: TensorFlow's, and CUDA's with its compiler. */
const libraries = new RegExp(
  `^(tensorflow/(${Object.values(linking.libraries).join('|')})|nvidia/([^/]+/lib|cuda_nvcc)/.*)$`,
);

/** @type {import('./steps.mjs').CacheStep} */
export const tensorflowRuntime = {
  name: 'TensorFlow runtime',
  id: 'tensorflow',
  get megabytes() {
    return tensorflowKind() === 'gpu' ? 9000 : 1500;
  },
  folder: () => runtimeFolder(tensorflowKind()),
  files: () =>
    [...Object.values(linking.libraries), ...Object.keys(linking.libraries)].map((name) => `tensorflow/${name}`),
  async make(temporary) {
    /** @type {string[]} */
    const archives = [];
    for (const source of sourcesOf(`tensorflow-${tensorflowKind()}`)) archives.push(await download(source));
    for (const archive of archives) await unzip(archive, temporary, libraries);
    for (const [name, file] of Object.entries(linking.libraries))
      fs.symlinkSync(file, path.join(temporary, 'tensorflow', name));
    const compiler = path.join(temporary, 'nvidia/cuda_nvcc/bin/ptxas');
    if (fs.existsSync(compiler)) fs.chmodSync(compiler, 0o755);
    for (const archive of archives) fs.rmSync(archive);
  },
};

/**
 * The headers, which only the compilation of the addons needs. Before the runtime, which deletes the downloaded wheel.
 * @type {import('./steps.mjs').CacheStep}
 */
export const tensorflowHeaders = {
  name: 'TensorFlow headers',
  id: 'headers',
  megabytes: 300,
  folder: () => headersFolder(),
  files: () => ['tensorflow/include/tensorflow/c/c_api.h'],
  async make(temporary) {
    const [wheel] = sourcesOf(`tensorflow-${tensorflowKind()}`);
    if (wheel) await unzip(await download(wheel), temporary, /^tensorflow\/include\//);
  },
};
